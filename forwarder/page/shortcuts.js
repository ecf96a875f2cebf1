// One key each, where no text is being written.

/** `actions` maps a key to what it does. */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action === undefined || event.repeat || event.ctrlKey || event.altKey || event.metaKey || writes(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    event.preventDefault();
    action();
  });
}

function writes(target) {
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
