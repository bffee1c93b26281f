"use strict";
// Everything people and services say is put in as text; nothing of it is ever read as HTML.

const KEPT = "conversation";
const AGAIN_MS = 1000;
const TRIES = 30;
const talk = document.getElementById("talk");
const form = document.getElementById("say");
const input = document.getElementById("text");
const trouble = document.getElementById("trouble");
let name = null;
let shown = -1;

function show(who, text) {
  const line = document.createElement("li");
  line.className = who;
  line.textContent = text;
  talk.append(line);
  line.scrollIntoView({ block: "end" });
}

function wait(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

function tell(sentence) {
  trouble.hidden = !sentence;
  trouble.textContent = sentence;
}

// An answer that is lost is asked for again: a message has an id, and is answered once.
async function ask(path, body) {
  for (let n = 1; ; n += 1) {
    let answer = null;
    try {
      const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      answer = await fetch(path, options);
    } catch {
      answer = null;
    }
    if (answer !== null && answer.status < 500) {
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
      tell("");
      return told;
    }
    if (n >= TRIES) throw new Error("The assistant does not answer. Your message is not lost: send it again.");
    tell(`The assistant${answer?.status === 503 ? "'s database" : ""} does not answer; trying again.`);
    await wait(AGAIN_MS);
  }
}

async function take(turn) {
  if (turn.turn <= shown) return;
  shown = turn.turn;
  for (const said of turn.says) {
    if (said.delay) await wait(said.delay * 1000);
    show("assistant", said.text);
  }
}

async function begin() {
  talk.replaceChildren();
  shown = -1;
  const told = await ask("api/conversations", {});
  name = told.conversation;
  sessionStorage.setItem(KEPT, name);
  await take(told);
}

async function resume() {
  name = sessionStorage.getItem(KEPT);
  if (!name) return begin();
  try {
    for (const turn of (await ask(`api/conversations/${name}`)).turns) {
      if (turn.heard !== undefined) show("person", turn.heard);
      await take(turn);
    }
  } catch {
    await begin();
  }
}

function id() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || form.dataset.busy) return;
  form.dataset.busy = "yes";
  input.value = "";
  show("person", text);
  try {
    await take(await ask(`api/conversations/${name}/messages`, { text, message: id() }));
  } catch (error) {
    tell(error.message);
    input.value = text;
  }
  delete form.dataset.busy;
  input.focus();
});

document.getElementById("anew").addEventListener("click", () => begin().catch((error) => tell(error.message)));
resume().catch((error) => tell(error.message));
input.focus();
