// Talks to the server this page comes from. Whatever the model says is shown as text, never as markup.
const find = id => document.getElementById(id);
const history = [];
let running = null;

function headers() {
  const key = find("key").value;
  return { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
}

function tell(text, isProblem = false) {
  find("status").textContent = text;
  find("status").className = isProblem ? "problem" : "";
}

function show(role, text) {
  const paragraph = document.createElement("p");
  paragraph.className = role;
  paragraph.textContent = text;
  find("messages").append(paragraph);
  paragraph.scrollIntoView({ block: "end" });
  return paragraph;
}

// The data of a stream's events, one after the other.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }

    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ")) {
        yield line.slice(6);
      }
    }
  }
}

async function refused(response) {
  if (response.status === 401) {
    find("key-label").hidden = false;
  }

  const answer = await response.json().catch(() => null);
  return new Error(answer?.error?.message ?? `The server answered ${response.status}.`);
}

async function answer(paragraph, signal) {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: headers(),
    signal,
    body: JSON.stringify({
      messages: history,
      stream: true,
      stream_options: { include_usage: true },
      temperature: find("temperature").valueAsNumber,
      max_tokens: find("tokens").valueAsNumber,
      seed: Math.floor(Math.random() * 2 ** 31),
    }),
  });
  if (!response.ok) {
    throw await refused(response);
  }

  let isDone = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") {
      isDone = true;
      break;
    }

    const part = JSON.parse(data);
    if (part.error) {
      throw new Error(part.error.message);
    }

    paragraph.textContent += part.choices[0]?.delta?.content ?? "";
    paragraph.scrollIntoView({ block: "end" });
    if (part.usage) {
      tell(`${part.usage.prompt_tokens} tokens in, ${part.usage.completion_tokens} out`);
    }
  }

  if (!isDone) {
    throw new Error("The connection broke off.");
  }
}

async function send() {
  const text = find("input").value;
  if (running || text.trim() === "") {
    return;
  }

  find("input").value = "";
  history.push({ role: "user", content: text });
  show("user", text);
  const paragraph = show("assistant", "");
  const controller = running = new AbortController();
  find("send").hidden = true;
  find("stop").hidden = false;
  tell("…");
  try {
    await answer(paragraph, controller.signal);
  } catch (problem) {
    tell(controller.signal.aborted ? "Stopped." : problem.message, !controller.signal.aborted);
  }

  // What was said counts, also where it broke off; a new chat has forgotten it.
  if (running === controller) {
    if (paragraph.textContent === "") {
      paragraph.remove();
      history.pop();
    } else {
      history.push({ role: "assistant", content: paragraph.textContent });
    }

    done();
  }
}

function done() {
  running = null;
  find("send").hidden = false;
  find("stop").hidden = true;
  find("input").focus();
}

async function begin() {
  try {
    const response = await fetch("/v1/models", { headers: headers() });
    if (!response.ok) {
      throw await refused(response);
    }

    find("model").textContent = document.title = (await response.json()).data[0].id;
    tell("");
  } catch (problem) {
    tell(problem.message, true);
  }
}

find("form").addEventListener("submit", event => {
  event.preventDefault();
  send();
});
find("input").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
find("stop").addEventListener("click", () => running?.abort());
find("new").addEventListener("click", () => {
  running?.abort();
  history.length = 0;
  find("messages").replaceChildren();
  tell("");
  done();
});
find("key").addEventListener("change", begin);
begin();
