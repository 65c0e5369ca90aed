// The page: asks the server each second how things are, and shows it.
//
// It asks rather than listens: a stream of events would have it keep up with
// every single fault and connection of a load test, and browsers allow six
// connections to a server, for all tabs together. What happened while nobody
// asked, the server remembers.

import { actions } from './actions.js';
import { get, Refusal } from './api.js';
import { $, text } from './dom.js';
import { clock } from './format.js';
import { render, shown } from './view.js';

const mostConnections = 50;

// state is what the server said last.
const state = {
  proxies: [], rules: [], connections: [], total: 0, scenario: {},
  began: 0, seconds: [], selected: null, seen: '', at: 0,
};
let failing = 0; // since when nobody answers

const path = (name, rest = '') => `v1/proxies/${encodeURIComponent(name)}${rest}`;

async function refresh() {
  const { proxies } = await get('v1/proxies');
  state.proxies = proxies;
  if (!proxies.some((p) => p.name === state.selected)) state.selected = wanted() ?? proxies[0]?.name ?? null;
  await Promise.all([timeline(), scenario(), state.selected === null ? null : detail(state.selected)]);
  state.at = Date.now();
}

// wanted is the proxy that the address of the page names.
function wanted() {
  try {
    const name = decodeURIComponent(location.hash.slice(1));
    return state.proxies.some((p) => p.name === name) ? name : null;
  } catch {
    return null;
  }
}

async function timeline() {
  const names = new Set(shown(state).map((p) => p.name));
  if (state.selected !== null) names.add(state.selected);
  const seen = [...names].sort().join('\n');
  const after = seen === state.seen ? state.seconds.at(-1)?.number ?? 0 : 0;
  const query = new URLSearchParams({ after });
  for (const name of names) query.append('proxy', name);
  const said = await get(`page/timeline?${query}`);
  if (said.began !== state.began && after > 0) { // another run of the program
    state.began = said.began;
    state.seen = '';
    return timeline();
  }
  state.began = said.began;
  state.seen = seen;
  state.seconds = [...(after ? state.seconds : []), ...said.seconds].slice(-301);
}

async function scenario() {
  state.scenario = await get('v1/scenario');
}

async function detail(name) {
  const query = new URLSearchParams({ limit: mostConnections, match: $('connection-filter').value.trim() });
  try {
    const [rules, connections] = await Promise.all([get(path(name, '/rules')), get(path(name, `/connections?${query}`))]);
    if (state.selected !== name) return;
    Object.assign(state, { rules: rules.rules, connections: connections.connections, total: connections.total });
  } catch (err) {
    if (!(err instanceof Refusal && err.status === 404)) throw err;
    state.selected = null; // it has been removed meanwhile
  }
}

// poll asks and shows, again and again. Errors are shown, and it goes on.
let timer = 0;
let polling = null;
async function poll() {
  clearTimeout(timer);
  polling ??= refresh().then(() => {
    failing = 0;
    $('main').inert = false;
    render(state, act);
    text($('link'), 'live');
    $('link').className = 'live';
  }, (err) => {
    failing ||= Date.now();
    $('main').inert = true;
    text($('link'), err instanceof Refusal ? `the server says: ${err.message}` : `no answer since ${clock(failing)}, trying again`);
    $('link').className = 'lost';
  }).finally(() => { polling = null; });
  try {
    await polling;
  } finally {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(poll, 1000);
  }
}

// again is poll with answers that are newer than now.
async function again() {
  if (polling) await polling;
  await poll();
}

const act = { ...actions({
  selected: () => state.selected,
  rules: () => state.rules,
  path,
  again,
  select: (name) => { location.hash = `#${encodeURIComponent(name)}`; },
}), show };
$('skip').addEventListener('click', () => $('detail').focus());

function show(name) {
  if (name === null || name === state.selected) return;
  Object.assign(state, { selected: name, rules: [], connections: [], total: 0 });
  render(state, act);
  again();
}

addEventListener('hashchange', () => show(wanted()));
document.addEventListener('visibilitychange', () => { if (!document.hidden) poll(); });
new ResizeObserver(() => { if (state.selected !== null) render(state, act); }).observe($('chart'));
$('connection-filter').addEventListener('input', again);
$('proxy-filter').addEventListener('input', again);
poll();
