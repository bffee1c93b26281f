"use strict";
// What people said is put in as text; nothing of it is ever read as HTML.

const OUTSIDE = "O";
const KEPT = "label";
const list = document.getElementById("messages");
const trouble = document.getElementById("trouble");
const done = document.getElementById("done");
const field = (id) => document.getElementById(id);
let labels = { intents: [], slots: [] };
let messages = [];
let current = 0;
let place = 0;

function tell(sentence) {
  trouble.hidden = !sentence;
  trouble.textContent = sentence;
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${field("token").value}` };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The assistant does not answer. What you see is not lost: try again.");
  }
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

function choice(name, values, chosen) {
  const select = made("select", name);
  select.setAttribute("aria-label", name);
  for (const value of values) select.append(new Option(value, value, false, value === chosen));
  return select;
}

function slotNames() {
  return labels.slots.filter((slot) => slot.startsWith("B-")).map((slot) => slot.slice(2));
}

function state(message) {
  if (message.saved) return `${message.saved.by}, ${message.saved.at.slice(0, 16).replace("T", " ")}`;
  if (!message.suggested) return "the model suggests nothing";
  return `suggested, ${Math.round(message.suggested.confidence * 100)} %`;
}

function draw(number) {
  const message = messages[number];
  const item = message.item;
  item.replaceChildren();
  const words = made("div", "words");
  message.words.forEach((text, n) => {
    const word = made("span", "word", text);
    word.append(made("small", "", message.slots[n] === OUTSIDE ? "" : message.slots[n]));
    if (number === current && n === place) word.setAttribute("aria-current", "true");
    word.addEventListener("click", () => go(number, n));
    words.append(word);
  });
  const intent = choice("intent", labels.intents, message.intent);
  intent.addEventListener("change", () => { message.intent = intent.value; });
  const slot = choice("slot", ["", ...slotNames()], message.slots[place]?.slice(2) ?? "");
  slot.hidden = number !== current;
  slot.addEventListener("change", () => set(number, place, slot.value ? `B-${slot.value}` : OUTSIDE));
  for (const select of [intent, slot]) {
    select.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      list.focus();
    });
    select.addEventListener("focus", () => { if (number !== current) go(number, 0, false); });
  }
  item.append(words, intent, slot, made("span", "state", state(message)));
  item.toggleAttribute("aria-current", number === current);
}

// A word that continued what is no slot any more begins it.
function set(number, n, label) {
  const slots = messages[number].slots;
  slots[n] = label;
  for (let m = n + 1; m < slots.length && slots[m].startsWith("I-"); m += 1) {
    const name = slots[m].slice(2);
    if (slots[m - 1] === OUTSIDE || slots[m - 1].slice(2) !== name) slots[m] = `B-${name}`;
  }
  // The select that was used goes on with the focus.
  const used = document.activeElement?.className;
  draw(number);
  if (used === "slot") messages[number].item.querySelector(".slot").focus();
}

function go(number, n = 0, drawn = true) {
  if (number < 0 || number >= messages.length) return;
  const before = current;
  current = number;
  place = Math.max(0, Math.min(n, messages[number].words.length - 1));
  if (before !== number && messages[before]) draw(before);
  if (drawn) draw(number);
  else messages[number].item.toggleAttribute("aria-current", true);
  messages[number].item.scrollIntoView({ block: "nearest" });
}

function take(message) {
  const told = message.labels ?? message.suggested ?? {};
  message.saved = message.labels ?? null;
  message.intent = labels.intents.includes(told.intent) ? told.intent : "unknown";
  const slots = told.slots ?? [];
  message.slots = message.words.map((_, n) => (labels.slots.includes(slots[n]) ? slots[n] : OUTSIDE));
  message.slots.forEach((slot, n) => {
    const before = message.slots[n - 1] ?? OUTSIDE;
    if (slot.startsWith("I-") && before.slice(2) !== slot.slice(2)) message.slots[n] = `B-${slot.slice(2)}`;
  });
}

function count() {
  const right = messages.filter((message) => message.saved).length;
  done.textContent = messages.length ? `${right} of ${messages.length} looked at` : "";
}

async function save() {
  const number = current;
  const message = messages[number];
  const body = JSON.stringify({ intent: message.intent, slots: message.slots, by: field("by").value });
  const path = `api/conversations/${message.conversation}/turns/${message.turn}/labels`;
  message.labels = await (await ask(path, { method: "PUT", body })).json();
  take(message);
  tell("");
  count();
  draw(number);
  go(number + 1);
}

async function show() {
  labels = await (await fetch("api/labels")).json();
  const text = await (await ask(`api/days/${field("day").value}`)).text();
  const lines = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  messages = lines.filter((line) => line.words);
  list.replaceChildren();
  for (const message of messages) {
    message.item = made("li", "message");
    list.append(message.item);
    take(message);
  }
  [current, place] = [0, 0];
  messages.forEach((_, number) => draw(number));
  tell(messages.length ? "" : "Nobody said anything on that day.");
  count();
  list.focus();
}

const keys = {
  ArrowDown: () => go(current + 1),
  ArrowUp: () => go(current - 1),
  ArrowRight: () => go(current, place + 1),
  ArrowLeft: () => go(current, place - 1),
  i: () => messages[current].item.querySelector(".intent").focus(),
  s: () => messages[current].item.querySelector(".slot").focus(),
  o: () => set(current, place, OUTSIDE),
  c: () => {
    const before = messages[current].slots[place - 1] ?? OUTSIDE;
    if (before !== OUTSIDE) set(current, place, `I-${before.slice(2)}`);
  },
  u: () => { take(messages[current]); draw(current); },
  Enter: () => save().catch((error) => tell(error.message)),
};

list.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (!act || event.target !== list || !messages.length || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});

field("which").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEPT, JSON.stringify({ by: field("by").value, token: field("token").value }));
  show().catch((error) => tell(error.message));
});

const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
field("by").value = kept.by ?? "";
field("token").value = kept.token ?? "";
field("day").value = new Date().toISOString().slice(0, 10);
