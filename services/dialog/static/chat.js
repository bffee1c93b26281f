import { record } from "./microphone.js";

// Everything people and services say is put in as text; nothing of it is ever read as HTML.

const KEPT = "conversation";
const AGAIN_MS = 1000;
const TRIES = 30;
const talk = document.getElementById("talk");
const form = document.getElementById("say");
const input = document.getElementById("text");
const trouble = document.getElementById("trouble");
const speak = document.getElementById("speak");
const WAITS = {
  429: "Many people are speaking; trying again.",
  503: "The assistant's database does not answer; trying again.",
};
let name = null;
let shown = -1;
let recording = null;

function fill(line, text, spoken) {
  line.textContent = text;
  if (!spoken) return;
  const mark = document.createElement("small");
  mark.textContent = "spoken";
  line.append(mark);
}

function show(who, text, spoken = false) {
  const line = document.createElement("li");
  line.className = who;
  fill(line, text, spoken);
  talk.append(line);
  line.scrollIntoView({ block: "end" });
  return line;
}

function wait(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

function tell(sentence) {
  trouble.hidden = !sentence;
  trouble.textContent = sentence;
}

// An answer that is lost is asked for again: a message has an id, and is answered once. What is sent is JSON, or a Blob.
async function ask(path, body) {
  for (let n = 1; ; n += 1) {
    let answer = null;
    try {
      const sent = body instanceof Blob ? body : JSON.stringify(body);
      answer = await fetch(path, body === undefined ? {} : { method: "POST", body: sent });
    } catch {
      answer = null;
    }
    // 501 says that this machine cannot do it, now or later.
    if (answer !== null && (answer.status < 500 || answer.status === 501) && answer.status !== 429) {
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
      tell("");
      return told;
    }
    if (n >= TRIES) {
      const sentence = "The assistant does not answer. Your message is not lost: send it again.";
      throw Object.assign(new Error(sentence), { again: true });
    }
    tell(WAITS[answer?.status] ?? "The assistant does not answer; trying again.");
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
      if (turn.heard !== undefined) show("person", turn.heard, turn.channel === "speech");
      await take(turn);
    }
  } catch {
    await begin();
  }
}

function id() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function write(text) {
  input.value = "";
  show("person", text);
  try {
    await take(await ask(`api/conversations/${name}/messages`, { text, message: id() }));
  } catch (error) {
    input.value = text;
    throw error;
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  await busy(() => write(text));
  input.focus();
});

function mark(on) {
  speak.textContent = on ? "Stop" : "Speak";
  speak.setAttribute("aria-pressed", String(on));
}

// What was recognised takes the place of the dots. A recording that got no answer stays, to be sent again as the same.
async function say(said, message, line) {
  fill(line, "…", true);
  try {
    const turn = await ask(`api/conversations/${name}/recordings?message=${message}`, said);
    fill(line, turn.heard, true);
    await take(turn);
  } catch (error) {
    if (!error.again) line.remove();
    else line.replaceChildren(button("Send it again", () => busy(() => say(said, message, line))));
    throw error;
  }
}

function button(text, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", pressed);
  return made;
}

async function busy(does) {
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  try {
    await does();
  } catch (error) {
    tell(error.message);
  }
  delete form.dataset.busy;
}

async function listen() {
  tell("");
  recording = await record();
  mark(true);
  const said = await recording.ended;
  recording = null;
  mark(false);
  await say(said, id(), show("person", "…", true));
}

speak.addEventListener("click", () => (recording ? recording.stop() : busy(listen)));

document.getElementById("anew").addEventListener("click", () => busy(begin));
resume().catch((error) => tell(error.message));
input.focus();
