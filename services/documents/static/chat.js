"use strict";
// What people ask and what documents say is put in as text; nothing of it is ever read as HTML.

const KEPT = "documents_token";
const field = (id) => document.getElementById(id);
const talk = field("talk");

function tell(sentence) {
  field("trouble").hidden = !sentence;
  field("trouble").textContent = sentence;
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function ask(path, body) {
  const token = field("token").value.trim();
  const options = { headers: token ? { Authorization: `Bearer ${token}` } : {} };
  if (body !== undefined) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The assistant does not answer; ask again in a moment.");
  }
  const told = await answer.json().catch(() => ({ error: `The assistant answers ${answer.status}.` }));
  if (!answer.ok) throw new Error(told.error);
  return told;
}

async function open(source) {
  try {
    const version = encodeURIComponent(source.dataset_version);
    const told = await ask(`api/passages/${encodeURIComponent(source.passage)}?version=${version}`);
    field("opened_title").textContent = told.title || told.file;
    field("opened_where").textContent = `${told.file}, ${told.place}, version ${told.dataset_version}`;
    field("opened_text").replaceChildren(
      ...told.around.map((each) => made("p", each.cited ? "cited" : "", each.text)),
    );
    tell("");
    field("opened").showModal();
    field("opened_text").querySelector(".cited").scrollIntoView({ block: "center" });
  } catch (error) {
    tell(error.message);
  }
}

function link(source, className, text, label) {
  const button = made("button", className, text);
  button.type = "button";
  if (label) button.setAttribute("aria-label", label);
  button.addEventListener("click", () => open(source));
  return button;
}

function show(told) {
  const line = made("li", "assistant");
  if (!told.found) line.append(made("p", "", told.says));
  for (const said of told.answer ?? []) {
    const sentence = made("p", "", said.text);
    for (const number of said.sources) {
      sentence.append(link(told.sources[number - 1], "source", `[${number}]`, `open source ${number}`));
    }
    line.append(sentence);
  }
  if (told.sources?.length) {
    const list = made("ul");
    told.sources.forEach((source, n) => {
      const item = made("li", "", `[${n + 1}] `);
      item.append(link(source, "", `${source.title || source.file}, ${source.place}`), ` ${source.file}`);
      list.append(item);
    });
    line.append(list);
  }
  if (told.version_at) {
    const by = told.by === "generator" ? "in words of a language model, checked against its sources; " : "";
    line.append(made("small", "", `${by}documents as of ${told.version_at.slice(0, 16).replace("T", " ")} UTC`));
  }
  talk.append(line);
  line.scrollIntoView({ block: "end" });
}

field("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = field("text").value.trim();
  const form = field("say");
  if (!question || form.dataset.busy) return;
  form.dataset.busy = "yes";
  try {
    const told = await ask("api/questions", { question, as_of: field("as_of").value });
    field("text").value = "";
    tell("");
    talk.append(made("li", "person", question));
    show(told);
  } catch (error) {
    tell(error.message);
  }
  delete form.dataset.busy;
  field("text").focus();
});

async function who() {
  sessionStorage.setItem(KEPT, field("token").value.trim());
  try {
    const told = await ask("api/me");
    field("me").textContent = told.name ? `${told.name} (${told.groups.join(", ") || "no group"})` : "anybody";
    tell("");
  } catch (error) {
    field("me").textContent = "unknown";
    tell(error.message);
  }
}

field("who").addEventListener("submit", (event) => event.preventDefault());
field("token").addEventListener("change", who);
field("close").addEventListener("click", () => field("opened").close());
field("token").value = sessionStorage.getItem(KEPT) ?? "";
if (field("token").value) who();
field("text").focus();
