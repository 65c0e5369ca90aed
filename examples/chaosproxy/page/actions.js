// What a person can do: every switch and button of the page.

import { exact, get, Refusal, send } from './api.js';
import { $, h, text } from './dom.js';
import { ruleForm } from './form.js';
import { levels, name as nameRules, scenarios, setLevel } from './rules.js';

// actions wires the page's own buttons and returns what the others do. page
// has selected(), the name of a proxy; rules(), those in force; path(proxy,
// rest), where the API has it; again(), which asks the server how things are
// now; and select(name).
export function actions(page) {
  // attempt does something and says what went wrong.
  async function attempt(what) {
    fail('');
    try {
      await what();
    } catch (err) {
      fail(problem(err));
    }
    await page.again();
  }

  // change edits the plan of a proxy as a whole. If somebody else has changed it
  // meanwhile, the edit is done again, to theirs.
  async function change(proxy, edit) {
    for (let tries = 1; ; tries++) {
      const { revision, plan } = exact(await send('GET', page.path(proxy, '/plan')));
      nameRules(plan);
      edit(plan);
      try {
        await put(proxy, JSON.stringify(plan), revision);
        return;
      } catch (err) {
        if (!(err instanceof Refusal && err.status === 412 && tries < 5)) throw err;
      }
    }
  }

  const put = (proxy, plan, revision) => send('PUT', page.path(proxy, '/plan'), plan, { 'If-Match': `"${revision}"` });

  // dialog opens a dialog; submit is done when its form is sent, and closes it
  // unless it fails.
  function dialog(id, submit) {
    const d = $(id);
    const error = d.querySelector('.error');
    text(error, '');
    d.querySelector('form').onsubmit = async (e) => {
      e.preventDefault();
      text(error, '');
      try {
        await submit();
      } catch (err) {
        text(error, problem(err));
        return;
      }
      d.close();
      await page.again();
    };
    d.querySelector('.cancel').onclick = () => d.close();
    d.showModal();
  }

  $('enabled').addEventListener('change', () => {
    const enabled = $('enabled').checked;
    attempt(() => send('PATCH', page.path(page.selected()), JSON.stringify({ enabled })));
  });
  $('remove-proxy').addEventListener('click', () => {
    const name = page.selected();
    if (confirm(`Delete the proxy ${name}? Its connections end.`)) attempt(() => send('DELETE', page.path(name)));
  });
  $('new-proxy').addEventListener('click', () => dialog('proxy-dialog', async () => {
    const name = $('proxy-name').value;
    await send('POST', 'v1/proxies', JSON.stringify({ name, listen: $('proxy-listen').value, upstream: $('proxy-upstream').value }));
    await page.again();
    page.select(name);
  }));

  // Buttons rather than radio buttons, of which the keyboard would choose each
  // on the way from normal to total blackout.
  $('levels').append(...levels.map((level) => h('button', {
    type: 'button', value: level.name, class: level.name === 'Total blackout' ? 'worst' : null,
    onclick: () => attempt(() => change(page.selected(), (plan) => setLevel(plan, level))),
  }, level.name)));

  let form; // what plans are made of; it does not change while the server runs
  $('add-fault').addEventListener('click', () => attempt(async () => {
    form ??= await get('page/form');
    const proxy = page.selected();
    const rule = ruleForm(form, page.rules().map((r) => r.name));
    const preview = () => text($('fault-preview'), JSON.stringify(rule.value(), null, 1));
    rule.element.addEventListener('input', preview);
    $('fault-fields').replaceChildren(rule.element);
    preview();
    dialog('fault-dialog', () => change(proxy, (plan) => { plan.rules.push(rule.value()); }));
  }));

  $('edit-plan').addEventListener('click', () => attempt(async () => {
    const proxy = page.selected();
    let revision;
    const read = async () => {
      const said = exact(await send('GET', page.path(proxy, '/plan')));
      revision = said.revision;
      $('plan-text').value = JSON.stringify(said.plan, null, 2);
    };
    await read();
    $('plan-reload').onclick = () => read().then(() => text($('plan-dialog').querySelector('.error'), ''), (err) => text($('plan-dialog').querySelector('.error'), problem(err)));
    dialog('plan-dialog', () => put(proxy, $('plan-text').value, revision));
  }));

  $('start-scenario').addEventListener('click', () => {
    const ready = scenarios(page.selected() ?? 'proxy');
    const template = $('scenario-template');
    template.replaceChildren(...ready.map((r) => h('option', {}, r.name)));
    template.onchange = () => { $('scenario-text').value = JSON.stringify(ready[template.selectedIndex].scenario, null, 1); };
    template.onchange();
    dialog('scenario-dialog', () => send('PUT', 'v1/scenario', $('scenario-text').value));
  });
  $('stop-scenario').addEventListener('click', () => attempt(() => send('DELETE', 'v1/scenario')));

  return {
    // switchRule puts a rule of the plan in force or takes it out, and keeps it.
    switchRule: (name, on) => attempt(() => change(page.selected(), (plan) => {
      const rule = plan.rules.find((r) => r.name === name);
      if (!rule) throw new Error(`the plan has no rule ${name} any more`);
      if (on) delete rule.off;
      else rule.off = true;
    })),
    removeRule: (name) => attempt(() => change(page.selected(), (plan) => { plan.rules = plan.rules.filter((r) => r.name !== name); })),
    // command is reset, hold, release or step, of one connection.
    command: (id, what, direction) => attempt(() => send('POST', page.path(page.selected(), `/connections/${id}/${what}${direction ? `?direction=${direction}` : ''}`))),
    // showLevel marks the level that is in force; null is none of them.
    showLevel(name) {
      for (const b of $('levels').querySelectorAll('button')) b.setAttribute('aria-pressed', b.value === name);
    },
  };
}

function fail(message) {
  text($('error'), message);
  $('error').hidden = !message;
}

function problem(err) {
  return err instanceof TypeError || err.name === 'TimeoutError' ? 'The server does not answer.' : err.message;
}
