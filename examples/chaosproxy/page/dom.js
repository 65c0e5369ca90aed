// Elements made by hand. Text goes in as text, whatever proxies are called.

export const $ = (id) => document.getElementById(id);

// h makes an element. Attributes that begin with "on" are listeners; true, false
// and null add the attribute, or don't.
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// s makes an element of SVG.
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((c) => c != null));
  return element;
}

// text changes what an element says, and leaves it alone if that is the same:
// a selection in it stays.
export function text(element, value) {
  if (element.textContent !== String(value)) element.textContent = value;
}

// list makes the children of a parent those of the items. A child stays the
// same element as long as its item has the same key, so that it keeps its focus.
export function list(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((e) => [e.dataset.key, e]));
  let at = parent.firstElementChild;
  items.forEach((item, i) => {
    const k = String(key(item, i));
    let element = old.get(k);
    if (!element) {
      element = make(item, i);
      element.dataset.key = k;
    }
    old.delete(k);
    update(element, item, i);
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  });
  for (const element of old.values()) element.remove();
}
