// Rules in words, and the levels from normal to total blackout.

const units = { exchange: 'exchanges', connection: 'connections', operation: 'operations', byte: 'bytes' };

const percent = (p) => `${+Number(p).toPrecision(6)} %`;

// fault is a fault of a plan in words: "delay, for 2s".
function fault(f) {
  return [f.kind, ...options(f, ['kind'])].join(', ');
}

function options(object, without) {
  return Object.entries(object).filter(([name]) => !without.includes(name)).map(([name, value]) => {
    if (value === true) return spaced(name);
    if (Array.isArray(value)) return `${spaced(name)} ${value.join(' ')}`;
    if (value?.kind) return `${spaced(name)}: ${fault(value)}`;
    if (typeof value === 'object') return options(value, []).join(', ');
    return `${spaced(name)} ${value}`;
  });
}

// spaced is the name of a field in words: "perConn" is "per conn".
export const spaced = (name) => name.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);

// describe says what a rule does, as far as the server could write it.
export function describe(rule) {
  if (!rule) return '';
  const unit = units[rule.scope ?? 'exchange'];
  const parts = rule.mix
    ? [`of ${unit} ${rule.mix.map((m) => `${percent(m.percent)} ${fault(m.fault)}`).join('; ')}`]
    : [fault(rule.fault), rule.chance || rule.scope ? `${percent((rule.chance ?? 1) * 100)} of ${unit}` : 'always'];
  if (rule.select) parts.push(...options(rule.select, []));
  if (rule.when) parts.push(...options(rule.when, []));
  if (rule.limits) parts.push(`at most ${options(rule.limits, []).join(', ')}`);
  return parts.join(' · ');
}

// levels are ready plans, each one rule. Percentages are of exchanges, as those
// of vaurien are of its turns; what is left of 100 is normal.
const mix = (...parts) => ({ mix: parts.map(([percent, kind, options]) => ({ percent, fault: { kind, ...options } })) });

export const levels = [
  { name: 'Normal', rule: null },
  { name: 'Slow', rule: mix([20, 'delay', { for: '1s' }]) },
  { name: 'Flaky', rule: mix([20, 'delay', { for: '1s' }], [5, 'abort'], [5, 'reset']) },
  { name: 'Bad', rule: mix([30, 'delay', { for: '2s' }], [10, 'abort'], [10, 'garbage'], [5, 'hang']) },
  { name: 'Very bad', rule: mix([30, 'delay', { for: '5s' }], [20, 'abort'], [15, 'garbage'], [20, 'hang']) },
  { // with the clock, so that idle connections end at once
    name: 'Total blackout',
    rule: { select: { ops: ['dial', 'read', 'write', 'peer-close', 'clock'] }, scope: 'connection', fault: { kind: 'blackout' } },
  },
];

const prefix = 'level: ';

// levelOf is the name of the level that is in force; null if it is none of
// them.
export function levelOf(rules) {
  const on = rules.filter((r) => !r.rule?.off);
  if (on.length === 0) return levels[0].name;
  return on.find((r) => r.name.startsWith(prefix))?.name.slice(prefix.length) ?? null;
}

// setLevel puts a level in the place of another. Normal switches all rules off.
export function setLevel(plan, level) {
  plan.rules = plan.rules.filter((r) => !r.name.startsWith(prefix));
  if (level.rule) plan.rules.unshift({ name: prefix + level.name, ...level.rule });
  else for (const r of plan.rules) r.off = true;
}

// name gives rules that have none the names by position that the server calls
// them by, so that they keep them when others come and go.
export function name(plan) {
  plan.rules = (plan.rules ?? []).map((r, i) => ({ ...r, name: r.name || `rule ${i + 1}` }));
}

// scenarios are ready timelines for a proxy.
export function scenarios(proxy) {
  const step = (at, ...rules) => ({ at, plans: { [proxy]: rules.length ? { rules } : {} } });
  const level = (name) => ({ name: prefix + name, ...levels.find((l) => l.name === name).rule });
  const delay = (d) => ({ name: 'slow', fault: { kind: 'delay', for: d } });
  return [
    { name: 'an outage of 30 seconds', scenario: { steps: [step('0s', level('Total blackout')), step('30s')] } },
    { name: 'slower and slower, and back', scenario: { steps: [step('0s', delay('100ms')), step('20s', delay('500ms')), step('40s', delay('2s')), step('60s', delay('500ms')), step('80s')] } },
    { name: 'from normal to total blackout', scenario: { steps: [...levels.map((l, i) => step(`${i * 20}s`, ...(l.rule ? [level(l.name)] : []))), step(`${levels.length * 20}s`)] } },
    { name: 'flapping, over and over', scenario: { steps: [step('0s', level('Total blackout')), step('5s')], repeat: '20s' } },
  ];
}
