// Calls to the server this page came from.

import { $, text } from './dom.js';

// Refusal is an answer that says no.
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const kept = 'chaosproxy token';
let token = sessionStorage.getItem(kept) ?? '';
let asking = null; // one dialog for all calls that wait for the token

// send makes a call and returns the text of the answer. Where it fails because
// nobody answers, the error is no Refusal.
export async function send(method, path, body, headers = {}) {
  for (;;) {
    const sent = token;
    if (sent) headers = { ...headers, Authorization: `Bearer ${sent}` };
    const answer = await fetch(path, { method, body, headers, cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    const said = await answer.text();
    if (answer.ok) return said;
    if (answer.status !== 401) throw new Refusal(answer.status, reason(said, answer));
    if (sent === token) { // and not replaced meanwhile
      asking ??= ask(sent !== '').finally(() => { asking = null; });
      await asking;
    }
  }
}

export async function get(path) {
  return JSON.parse(await send('GET', path));
}

// exact is JSON.parse for what is sent back later: integers beyond 2^53, as
// seeds can be, stay what they are.
export function exact(json) {
  return JSON.parse(json, (_, value, context) => {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
    if (!JSON.rawJSON) throw new Error(`this browser cannot keep the number ${value}: change the plan with the API`);
    return JSON.rawJSON(context.source);
  });
}

function reason(said, answer) {
  try {
    return JSON.parse(said).error ?? said;
  } catch {
    return said || `${answer.status} ${answer.statusText}`;
  }
}

function ask(wrong) {
  const dialog = $('token-dialog');
  const form = dialog.querySelector('form');
  text(dialog.querySelector('.error'), wrong ? 'That is not it.' : '');
  $('token').value = '';
  dialog.showModal();
  return new Promise((done) => {
    dialog.onclose = () => dialog.showModal(); // nothing works without a token
    form.onsubmit = (e) => {
      e.preventDefault();
      const given = $('token').value.trim();
      if (!/^[\x21-\x7e]+$/.test(given)) {
        text(dialog.querySelector('.error'), 'A token has letters, digits and signs of ASCII only.');
        return;
      }
      token = given;
      sessionStorage.setItem(kept, token);
      dialog.onclose = null;
      dialog.close();
      done();
    };
  });
}
