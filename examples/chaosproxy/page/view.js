// What the page shows of the state of things.

import { draw, series, span, spark } from './chart.js';
import { $, h, list, s, text } from './dom.js';
import { bytes, clock, count, duration, many, rate } from './format.js';
import { describe, levelOf } from './rules.js';

const mostProxies = 50;
const mostRules = 100;

let chosen = null; // time of the second that is pointed out

// shown are the proxies that are listed.
export function shown(state) {
  const match = $('proxy-filter').value.trim().toLowerCase();
  return state.proxies.filter((p) => !match || `${p.name} ${p.listen} ${p.upstream}`.toLowerCase().includes(match)).slice(0, mostProxies);
}

// serverNow is the server's time, which a browser's clock need not have.
const serverNow = (state) => (state.seconds.length ? state.seconds.at(-1).end + Date.now() - state.at : Date.now());

// failing is what keeps clients from the upstream, though nobody has asked for
// it: how many there were of late, and what the last one met; null for nothing.
function failing(seconds, name) {
  let clients = 0;
  let last = null;
  for (const second of seconds.slice(-60)) {
    const f = second.proxies[name]?.failed;
    if (!f) continue;
    clients += f.clients;
    last = { at: second.end, says: f.says };
  }
  return last && { clients, ...last };
}

// render shows the state, as main.js keeps it. act is what actions returns, and
// show(name), which shows another proxy.
export function render(state, act) {
  $('main').hidden = false;
  const now = state.seconds.at(-1)?.end ?? Date.now();
  renderProxies(state, act, now);
  $('none').hidden = state.proxies.length > 0;
  const p = state.proxies.find((o) => o.name === state.selected);
  document.title = p ? `${p.name} · chaosproxy` : 'chaosproxy';
  $('detail').hidden = !p;
  if (p) {
    renderProxy(state, act, p, now);
    renderRules(state, act, p);
    renderConnections(state, act, p);
    renderLog(state, p);
  }
  renderScenario(state);
}

function renderProxies(state, act, now) {
  $('proxy-filter').hidden = state.proxies.length <= 8;
  const some = shown(state);
  list($('proxies'), some, (p) => p.name, (p) => h('li', {}, h('a', { href: `#${encodeURIComponent(p.name)}`, onclick: () => act.show(p.name) },
    h('span', { class: 'head' }, h('bdi', { class: 'name' }, p.name), h('span', { class: 'badge' })),
    h('span', { class: 'route mono' }),
    h('span', { class: 'foot' }, h('span', { class: 'rate' }), s('svg', { class: 'spark', 'aria-hidden': 'true' })))), (li, p) => {
    const a = li.firstElementChild;
    if (p.name === state.selected) a.setAttribute('aria-current', 'true');
    else a.removeAttribute('aria-current');
    const points = series(state.seconds, p.name);
    const last = points.at(-1);
    text(a.querySelector('.route'), `${p.listen} → ${p.upstream}`);
    text(a.querySelector('.rate'), last ? rate(last.up + last.down) : '');
    const on = (p.plan.rules ?? []).filter((r) => !r.off).length + (p.toxics ?? []).length + (p.behavior && p.behavior !== 'dummy' ? 1 : 0);
    const badge = a.querySelector('.badge');
    const ill = failing(state.seconds, p.name);
    text(badge, !p.enabled ? 'not listening' : ill ? 'dials failed' : on ? many(on, 'fault') : '');
    badge.className = `badge ${!p.enabled ? 'off' : ill || on ? 'bad' : ''}`;
    spark(a.querySelector('svg'), points, now, span(state.seconds));
  });
  const more = state.proxies.length - some.length;
  $('proxies-more').hidden = more === 0;
  text($('proxies-more'), `and ${count(more)} more`);
}

function renderProxy(state, act, p, now) {
  text($('name'), p.name);
  text($('listen'), p.listen);
  text($('upstream'), p.upstream);
  text($('revision'), p.revision);
  $('enabled').checked = p.enabled;
  const ill = failing(state.seconds, p.name);
  $('failing').hidden = !ill;
  text($('failing'), ill ? `In the last minute ${many(ill.clients, 'client')} got no connection, and no fault is why. The last at ${clock(ill.at)}: ${ill.says}` : '');
  act.showLevel(levelOf(state.rules));
  const points = series(state.seconds, p.name);
  const last = points.at(-1);
  text($('now-up'), rate(last?.up ?? 0));
  text($('now-down'), rate(last?.down ?? 0));
  text($('now-connections'), count(p.connections));
  text($('now-faults'), `${count(p.faults)}${last?.faults ? `, +${count(last.faults)}/s` : ''}`);
  const point = points.find((q) => q.at === chosen) ?? null;
  const places = draw($('chart'), points, now, span(state.seconds), point);
  $('chart').setAttribute('aria-label', `Timeline of ${p.name}: ${points.length} seconds, ${count(points.reduce((n, q) => n + q.faults, 0))} faults`);
  $('chart').dataset.points = points.length;
  readout(point);
  $('chart').onpointermove = (e) => {
    const box = $('chart').getBoundingClientRect();
    const at = (e.clientX - box.left) * ($('chart').viewBox.baseVal.width / box.width);
    pointOut(state, act, points, places.reduce((best, x, i) => (Math.abs(x - at) < Math.abs(places[best] - at) ? i : best), 0));
  };
  $('chart').onpointerleave = () => pointOut(state, act, points, -1);
  $('chart').onkeydown = (e) => {
    const i = points.findIndex((q) => q.at === chosen);
    const to = { ArrowLeft: i < 0 ? points.length - 1 : i - 1, ArrowRight: i + 1, Home: 0, End: points.length - 1, Escape: -1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    $('readout').setAttribute('aria-live', 'polite');
    pointOut(state, act, points, to);
  };
}

function pointOut(state, act, points, i) {
  const next = points[i]?.at ?? null;
  if (next === chosen) return;
  chosen = next;
  render(state, act);
}

function readout(p) {
  if (!p) {
    text($('readout'), 'Up is what clients send, down what comes back. Bars are faults that struck, dashed lines changes of the plan.');
    return;
  }
  const rules = Object.entries(p.strikes?.rules ?? {}).map(([name, n]) => `${name} ${count(n)}`).join(', ');
  text($('readout'), [clock(p.at), `up ${rate(p.up)}`, `down ${rate(p.down)}`, many(p.connections, 'connection'),
    p.faults ? `${many(p.faults, 'fault')}${rules && `: ${rules}`}` : 'no faults', p.changed ? 'the plan changed' : null].filter(Boolean).join(' · '));
}

function renderRules(state, act, p) {
  const planned = p.plan.rules?.length ?? 0;
  $('no-rules').hidden = state.rules.length > 0;
  const strikes = state.seconds.at(-1)?.proxies[p.name]?.strikes?.rules ?? {};
  $('rules-more').hidden = state.rules.length <= mostRules;
  text($('rules-more'), `and ${count(state.rules.length - mostRules)} more: edit the plan to see them`);
  list($('rules'), state.rules.slice(0, mostRules).map((r, i) => ({ ...r, ours: i < planned })), (r) => `${r.ours} ${r.name}`, (r) => {
    const box = h('input', { type: 'checkbox', role: 'switch', 'aria-label': `Rule ${r.name}`, onchange: () => act.switchRule(r.name, box.checked) });
    return h('li', {},
      r.ours ? h('label', { class: 'switch' }, box) : h('span', { class: 'badge' }, 'toxic or behavior'),
      h('div', { class: 'what' }, h('bdi', { class: 'name' }, r.name), h('span', { class: 'note' })),
      h('div', { class: 'hits' }, h('span', { class: 'number' }), h('span', { class: 'note' })),
      r.ours ? h('button', { type: 'button', class: 'quiet', 'aria-label': `Remove rule ${r.name}`, onclick: () => act.removeRule(r.name) }, 'Remove') : null);
  }, (li, r) => {
    const box = li.querySelector('input');
    if (box && !box.disabled) box.checked = !r.rule?.off;
    li.classList.toggle('off', Boolean(r.rule?.off));
    text(li.querySelector('.what .note'), describe(r.rule) || r.kind);
    text(li.querySelector('.hits .number'), many(r.hits, 'hit'));
    text(li.querySelector('.hits .note'), strikes[r.name] ? `+${count(strikes[r.name])}/s` : '');
  });
}

function renderConnections(state, act, p) {
  text($('connections-total'), count(p.connections));
  const now = serverNow(state);
  list($('connections').tBodies[0], state.connections, (c) => `${p.name} ${c.id}`, (c) => {
    const cell = (label, type) => h('td', { 'data-label': label, class: type });
    const button = (what, direction, label, says) => h('button', { type: 'button', class: 'small', 'aria-label': says, title: says, onclick: () => act.command(c.id, what, direction) }, label);
    return h('tr', {}, cell('#'), cell('client', 'mono'), cell('state'), cell('open for', 'number'), cell('idle', 'number'), cell('up', 'number'), cell('down', 'number'),
      h('td', { class: 'commands' },
        button('reset', null, 'Reset', `Reset connection ${c.id}`),
        ...['up', 'down'].flatMap((d) => [
          h('button', { type: 'button', class: `small hold ${d}`, onclick: (e) => act.command(c.id, e.target.dataset.command, d) }),
          button('step', d, `Step ${d === 'up' ? '↑' : '↓'}`, `Let one chunk ${d}, connection ${c.id}`),
        ])));
  }, (tr, c) => {
    const held = [c.heldUp && 'up', c.heldDown && 'down'].filter(Boolean).join(' and ');
    const values = [c.id, c.client, `${c.state}${held && `, held ${held}`}${c.faults ? `, ${many(c.faults, 'fault')}` : ''}`,
      duration(now - Date.parse(c.opened)), duration(now - Date.parse(c.active)), bytes(c.bytesUp), bytes(c.bytesDown)];
    values.forEach((v, i) => text(tr.cells[i], v));
    for (const d of ['up', 'down']) {
      const is = d === 'up' ? c.heldUp : c.heldDown;
      const hold = tr.querySelector(`.hold.${d}`);
      hold.dataset.command = is ? 'release' : 'hold';
      text(hold, `${is ? 'Release' : 'Hold'} ${d === 'up' ? '↑' : '↓'}`);
      hold.setAttribute('aria-label', `${is ? 'Release' : 'Hold'} ${d}, connection ${c.id}`);
    }
  });
  const more = state.total - state.connections.length;
  $('connections-more').hidden = more === 0 && state.total > 0;
  text($('connections-more'), state.total === 0 ? ($('connection-filter').value ? 'None matches.' : 'None is open.') : `and ${more.toLocaleString('en')} more: filter to see them`);
}

function renderLog(state, p) {
  const lines = [];
  for (const second of state.seconds.toReversed()) {
    const m = second.proxies[p.name];
    if (!m?.faults) continue;
    const events = m.strikes?.events ?? [];
    if (m.faults > events.length) lines.push({ key: `${second.number} more`, at: second.end, says: `and ${count(m.faults - events.length)} more` });
    events.toReversed().forEach((says, i) => lines.push({ key: `${second.number} ${i}`, at: second.end, says }));
    if (lines.length >= 100) break;
  }
  $('no-log').hidden = lines.length > 0;
  list($('log'), lines.slice(0, 100), (l) => `${p.name} ${l.key}`, (l) => h('li', {}, h('time', {}, clock(l.at)), ' ', l.says), () => {});
}

function renderScenario(state) {
  const last = state.scenario;
  $('stop-scenario').hidden = !last.running;
  const steps = last.scenario?.steps?.length;
  let says = 'None is running. A scenario is a timeline of plans: an outage of 30 seconds, a backend that gets slower.';
  if (last.running) says = `Running for ${duration(serverNow(state) - Date.parse(last.started))}: ${last.taken} steps taken${last.scenario.repeat ? `, ${steps} every ${last.scenario.repeat}` : ` of ${steps}`}.`;
  else if (last.started) says = `The last one began at ${clock(Date.parse(last.started))} and took ${many(last.taken, 'step')}.`;
  text($('scenario-says'), `${says}${last.error ? ` It failed: ${last.error}` : ''}`);
}
