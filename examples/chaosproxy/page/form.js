// The form for a fault, made from what the server says plans are made of.

import { h } from './dom.js';
import { spaced } from './rules.js';

// Where only some texts make sense, these are offered. The server knows best.
const offers = {
  scope: ['exchange', 'connection', 'operation', 'byte'],
  ops: ['dial', 'read', 'peer-close', 'write', 'close-write', 'close', 'clock'],
  protocol: ['http', 'memcached', 'redis', 'mysql', 'postgres', 'smtp', 'ldap', 'lines'],
  shape: ['normal', 'lognormal', 'pareto'],
  at: ['head', 'body'],
  with: ['reset', 'pipe', 'aborted', 'eof', 'timeout', 'refused', 'connect-timeout', 'network-unreachable', 'host-unreachable', 'no-address', 'too-many-files', 'no-such-host', 'dns-timeout'],
};

let last = 0; // of ids

// field makes an input for an option. value() is what was put in, undefined if
// that is nothing.
function field(option, form) {
  const id = `field-${++last}`;
  const says = option.says ? h('small', { id: `${id}-says` }, option.says) : null;
  const label = (input) => h('div', { class: 'field' }, h('label', { for: id }, spaced(option.name)), input, says);
  const item = option.type.match(/^list of (.*)/)?.[1];
  if (option.type === 'fault') return faultField(form, spaced(option.name));
  if (option.type === 'object') {
    const inside = fields(option.options, form);
    return { element: h('fieldset', {}, h('legend', {}, option.says ? `${spaced(option.name)}: ${option.says}` : spaced(option.name)), ...inside.elements), value: () => some(inside.value()) };
  }
  if (option.type === 'boolean') {
    const input = h('input', { id, type: 'checkbox', name: option.name, 'aria-describedby': says?.id });
    return { element: h('div', { class: 'field' }, h('label', { for: id, class: 'check' }, input, spaced(option.name)), says), value: () => input.checked || undefined };
  }
  if (option.type === 'number') {
    const input = h('input', { id, type: 'number', step: 'any', name: option.name, 'aria-describedby': says?.id });
    return { element: label(input), value: () => (input.value === '' ? undefined : Number(input.value)) };
  }
  const input = h('input', { id, name: option.name, 'aria-describedby': says?.id, autocomplete: 'off', placeholder: hint(item ?? option.type, item, option.name), list: offers[option.name] ? `${id}-list` : null });
  const element = label(input);
  if (offers[option.name]) element.append(h('datalist', { id: `${id}-list` }, ...offers[option.name].map((value) => h('option', { value }))));
  const one = (v) => (item === 'number' ? Number(v) : v);
  return {
    element,
    value: () => {
      if (input.value.trim() === '') return undefined;
      return item ? input.value.split(',').map((v) => one(v.trim())) : input.value;
    },
  };
}

function hint(type, list, name) {
  const example = type === 'duration' ? '2s' : offers[name]?.[0] ?? (type === 'number' ? '1' : '');
  return list && example ? `${example}, …` : example;
}

function fields(options, form) {
  const all = options.map((o) => [o.name, field(o, form)]);
  return {
    elements: all.map(([, f]) => f.element),
    value: () => Object.fromEntries(all.map(([name, f]) => [name, f.value()]).filter(([, v]) => v !== undefined)),
  };
}

const some = (object) => (Object.keys(object).length ? object : undefined);

// faultField is the choice of a fault, with the options of the one chosen.
function faultField(form, label) {
  const id = `field-${++last}`;
  const says = h('p', { class: 'note', id: `${id}-says` });
  const inside = h('div', { class: 'options' });
  let chosen;
  const choose = () => {
    const kind = form.faults.find((k) => k.kind === select.value);
    says.textContent = kind.says;
    chosen = fields(kind.options, form);
    inside.replaceChildren(...chosen.elements);
  };
  const select = h('select', { id, name: 'kind', onchange: choose, 'aria-describedby': `${id}-says` },
    ...form.faults.map((k) => h('option', { value: k.kind, selected: k.kind === 'delay' }, k.kind)));
  choose();
  return {
    element: h('div', { class: 'fault' }, h('label', { for: id }, label), select, says, inside),
    value: () => ({ kind: select.value, ...chosen.value() }),
  };
}

// ruleForm asks for a rule. names are taken.
export function ruleForm(form, names) {
  const fault = faultField(form, 'fault');
  const percent = h('input', { id: 'rule-percent', type: 'number', min: '0', max: '100', step: 'any', value: '100', required: true });
  const scope = h('select', { id: 'rule-scope' }, ...[['exchange', 'exchanges'], ['connection', 'connections'], ['operation', 'operations'], ['byte', 'bytes']].map(([value, word]) => h('option', { value }, word)));
  const name = h('input', { id: 'rule-name', autocomplete: 'off', maxlength: '100' });
  const on = h('input', { id: 'rule-on', type: 'checkbox', checked: true });
  const rest = fields(form.rule.filter((o) => !['name', 'chance', 'scope', 'off'].includes(o.name)), form);
  const element = h('div', {}, fault.element,
    h('div', { class: 'often' },
      h('div', { class: 'field' }, h('label', { for: 'rule-percent' }, 'percent'), percent),
      h('div', { class: 'field' }, h('label', { for: 'rule-scope' }, 'of'), scope),
      h('div', { class: 'field' }, h('label', { for: 'rule-name' }, 'name'), name)),
    h('details', {}, h('summary', {}, 'Only at some moments, on some connections'), ...rest.elements),
    h('label', { for: 'rule-on', class: 'check' }, on, 'switched on'));
  const value = () => {
    const f = fault.value();
    const rule = { name: name.value || free(f.kind, names) };
    if (!on.checked) rule.off = true;
    if (scope.value !== 'exchange') rule.scope = scope.value;
    if (Number(percent.value) < 100) rule.chance = Number((percent.value / 100).toPrecision(12));
    return { ...rule, ...rest.value(), fault: f };
  };
  name.placeholder = free('delay', names);
  element.addEventListener('input', () => { name.placeholder = free(fault.value().kind, names); });
  return { element, value };
}

// free is a name that no rule has: "delay", or else "delay 2".
function free(name, names) {
  for (let i = 1; ; i++) {
    const tried = i === 1 ? name : `${name} ${i}`;
    if (!names.includes(tried)) return tried;
  }
}
