// Timelines: bytes a second as lines, faults as bars below them.

import { s } from './dom.js';
import { rate } from './format.js';

// span is how many seconds there are from the left to the right: as many as
// there is something to show of.
export function span(seconds) {
  const have = seconds.length ? (seconds.at(-1).end - seconds[0].end) / 1000 : 0;
  return [60, 120, 300].find((s) => have <= s) ?? 300;
}

// series are the seconds of one proxy as points: rates, and what else was seen.
export function series(seconds, proxy) {
  const points = [];
  let before = null;
  for (const second of seconds) {
    const m = second.proxies[proxy];
    if (m) {
      const last = before?.proxies[proxy];
      const took = before ? Math.max(0.1, (second.end - before.end) / 1000) : 1;
      points.push({
        at: second.end, up: m.up / took, down: m.down / took, connections: m.connections,
        faults: m.faults, strikes: m.strikes, changed: last !== undefined && last.revision !== m.revision,
        joined: last !== undefined && took < 3,
      });
    }
    before = second;
  }
  return points;
}

// spark draws a small timeline, without a scale.
export function spark(svg, points, now, span) {
  const [width, height] = [96, 24];
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const x = (at) => width - ((now - at) / 1000 / span) * width;
  const most = Math.max(1000, ...points.map((p) => p.up + p.down));
  svg.replaceChildren(
    s('path', { class: 'line both', d: line(points, x, (p) => height - 5 - ((p.up + p.down) / most) * (height - 7)) }),
    s('path', { class: 'bars', d: points.filter((p) => p.faults > 0).map((p) => `M${f(x(p.at))} ${height}v-4`).join('') }),
  );
}

// draw draws the timeline, with the second at chosen pointed out; it returns
// the place of each point, from the left.
export function draw(svg, points, now, span, chosen) {
  const width = Math.max(260, svg.clientWidth);
  const height = 220;
  const [left, right, top, bottom, bars] = [62, width - 6, 10, 200, 34];
  const floor = bottom - bars - 8; // of the lines
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const x = (at) => right - ((now - at) / 1000 / span) * (right - left);
  const most = nice(Math.max(1000, ...points.map((p) => Math.max(p.up, p.down))));
  const y = (v) => floor - (v / most) * (floor - top);
  const mostFaults = Math.max(1, ...points.map((p) => p.faults));

  const scale = [0, 0.5, 1].flatMap((part) => [
    s('line', { class: 'grid', x1: left, x2: right, y1: y(part * most), y2: y(part * most) }),
    s('text', { class: 'tick', x: left - 6, y: y(part * most) + 4, 'text-anchor': 'end' }, rate(part * most)),
  ]);
  const step = span / (width < 480 ? 2 : { 60: 6, 120: 4, 300: 5 }[span]);
  const ticks = [];
  for (let ago = span; ago >= 0; ago -= step) {
    ticks.push(s('text', {
      class: 'tick', x: x(now - ago * 1000), y: height - 5, 'text-anchor': ago === 0 ? 'end' : ago === span ? 'start' : 'middle',
    }, ago === 0 ? 'now' : ago % 60 ? `−${ago} s` : `−${ago / 60} min`));
  }
  // One fault can be seen beside a thousand.
  const bar = (p) => Math.max(3, (Math.log1p(p.faults) / Math.log1p(Math.max(mostFaults, 10))) * bars);
  svg.replaceChildren(
    ...scale, ...ticks,
    s('text', { class: 'tick', x: left - 6, y: bottom - 4, 'text-anchor': 'end' }, 'faults'),
    s('line', { class: 'grid', x1: left, x2: right, y1: bottom, y2: bottom }),
    s('path', { class: 'changes', d: points.filter((p) => p.changed).map((p) => `M${f(x(p.at))} ${top}V${bottom}`).join('') }),
    s('path', { class: 'area down', d: area(points, x, (p) => y(p.down), floor) }),
    s('path', { class: 'line down', d: line(points, x, (p) => y(p.down)) }),
    s('path', { class: 'line up', d: line(points, x, (p) => y(p.up)) }),
    s('path', { class: 'bars', d: points.filter((p) => p.faults > 0).map((p) => `M${f(x(p.at))} ${bottom}v${f(-bar(p))}`).join('') }),
    chosen ? s('path', { class: 'cursor', d: `M${f(x(chosen.at))} ${top}V${bottom}` }) : '',
  );
  return points.map((p) => x(p.at));
}

const f = (n) => n.toFixed(1);

function line(points, x, y) {
  return points.map((p, i) => `${i && p.joined ? 'L' : 'M'}${f(x(p.at))} ${f(y(p))}`).join('');
}

function area(points, x, y, floor) {
  let d = '';
  points.forEach((p, i) => {
    d += i && p.joined ? `L${f(x(p.at))} ${f(y(p))}` : `M${f(x(p.at))} ${floor}L${f(x(p.at))} ${f(y(p))}`;
    if (i === points.length - 1 || !points[i + 1].joined) d += `L${f(x(p.at))} ${floor}Z`;
  });
  return d;
}

// nice is the next of 1, 2, 5, 10, ... that is not less.
function nice(n) {
  const ten = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((m) => m * ten).find((m) => m >= n);
}
