// Messages that stay until they are read, and those that only a screen reader says.

const area = () => document.getElementById("notices");

/** Shows a message; another with the same `key` takes its place. `content` is text, or nodes and texts. */
export function notice(key, content, level = "warn") {
  dismiss(key);
  const box = document.createElement("div");
  box.className = "notice";
  box.dataset.key = key;
  box.dataset.level = level;
  const text = document.createElement("div");
  text.append(...(Array.isArray(content) ? content : [content]));
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = "✕";
  close.setAttribute("aria-label", "Dismiss");
  close.addEventListener("click", () => box.remove());
  box.append(text, close);
  area().append(box);
}

export function dismiss(key) {
  for (const box of area().children) if (box.dataset.key === key) box.remove();
}

let timer;
const said = [];

/** Says something without showing it. What comes close together is said together. */
export function announce(text) {
  said.push(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    const more = said.length > 4 ? [`and ${said.length - 4} more`] : [];
    document.getElementById("announcer").textContent = [...said.slice(0, 4), ...more].join(", ");
    said.length = 0;
  }, 300);
}

/** An element with text or children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
