// The form by which people join, and what they see of themselves before.

import { insecureAdvice, ROOM } from "./address.js";
import { Api, Problem } from "./api.js";
import { canCapture, canShareScreen } from "./devices.js";
import { deviceFields } from "./device_fields.js";
import { element, notice } from "./notices.js";

const byId = (id) => document.getElementById(id);

/** `onJoin({ name, room, iceServers })` is called with what was written, `media.source` being what was chosen. */
export function openLobby(address, media, onJoin) {
  const form = byId("join-form");
  form.name.value = address.name || remembered();
  form.room.value = address.room || "lobby";
  const refresh = deviceFields(byId("device-fields"), media, () => void preview.reopen());
  const preview = new Preview(media, refresh);

  if (!canCapture()) sayInsecure(form);
  if (!canShareScreen()) byId("join-form").querySelector('[value="screen"]').disabled = true;
  if (address.publish !== undefined) choose(form, address.publish);

  const chosen = () => form.querySelector('[name="source"]:checked').value;
  form.addEventListener("change", (event) => {
    if (event.target.name !== "source") return;
    preview.stop();
    media.source = chosen();
    void refresh();
    preview.update();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [name, room] = [form.name.value.trim(), form.room.value.trim()];
    const wrong = [name === "" && form.name, !ROOM.test(room) && form.room].filter(Boolean);
    for (const field of [form.name, form.room]) field.setAttribute("aria-invalid", String(wrong.includes(field)));
    if (wrong.length > 0) {
      wrong[0].focus();
      return;
    }
    remember(name);
    media.source = chosen();
    onJoin({ name, room, iceServers: access.ice_servers });
  });

  media.source = chosen();
  void refresh();
  preview.update();
  let access = {};
  if (form.name.value === "") form.name.focus();
  void obeyAccess(address.token, form).then((told) => {
    access = told ?? {};
    if (told === undefined || !address.join) return;
    form.name.value ||= "Guest";
    form.requestSubmit();
  });
  return { refresh: () => (refresh(), preview.update()) };
}

/** One's own picture, once it is asked for: the browser's question comes after a press, not with the page. */
class Preview {
  #media;
  #refresh;
  #video = byId("preview-video");
  #button = byId("preview-start");
  #text = byId("preview-text");

  constructor(media, refresh) {
    this.#media = media;
    this.#refresh = refresh;
    this.#button.addEventListener("click", async () => {
      await media.open("picture");
      await this.#refresh();
      this.update();
    });
    media.addEventListener("change", () => this.update());
  }

  async reopen() {
    await this.#media.reopenPicture();
  }

  stop() {
    this.#media.closeAll();
  }

  update() {
    const track = this.#media.track("picture");
    const { source } = this.#media;
    this.#video.srcObject = track === undefined ? null : new MediaStream([track]);
    this.#video.toggleAttribute("data-on", track !== undefined);
    this.#video.toggleAttribute("data-mirror", source === "camera");
    const texts = {
      camera: "Your camera starts when you join. Nobody sees it before.",
      screen: "You choose a screen or a window when you join.",
      generated: `A moving picture with the number ${this.#media.number}, and a tone. No camera is used.`,
      nothing: "You see and hear the others, and send nothing.",
    };
    this.#text.textContent = texts[source];
    this.#text.hidden = track !== undefined;
    const labels = { camera: "Show my camera", generated: "Show the picture" };
    this.#button.textContent = labels[source] ?? "";
    this.#button.hidden = track !== undefined || labels[source] === undefined || (source === "camera" && !canCapture());
  }
}

/** Fills in what the token says, and offers nothing that it forbids. Gives what the node told, `undefined` if one may not join. */
async function obeyAccess(token, form) {
  let access;
  try {
    access = await new Api(token).ask("GET", "/v0/access");
  } catch (error) {
    // Whoever cannot be reached now may be when one joins.
    if (!(error instanceof Problem)) return {};
    const wanting = error.status === 401 && token === "";
    const text = wanting
      ? "This node wants a token: ask whoever runs the room for a link that holds one."
      : `This link does not let you in. ${error.message}`;
    notice("access", text, "bad");
    return undefined;
  }
  if (access.name) {
    form.name.value = access.name;
    form.name.readOnly = !access.admin;
  }
  if (access.room && access.room !== "*") {
    form.room.value = access.room;
    form.room.readOnly = true;
  }
  if (access.publish === false) {
    for (const choice of form.querySelectorAll('[name="source"]')) choice.disabled = choice.value !== "nothing";
    choose(form, "nothing");
    form.querySelector('[value="nothing"]').dispatchEvent(new Event("change", { bubbles: true }));
  }
  return access;
}

function choose(form, source) {
  const choice = form.querySelector(`[value="${source}"]`);
  if (!choice.disabled) choice.checked = true;
}

function sayInsecure(form) {
  for (const source of ["camera", "screen"]) form.querySelector(`[value="${source}"]`).disabled = true;
  choose(form, "generated");
  const advice = insecureAdvice(location, window.isSecureContext);
  if (advice === undefined) {
    notice("insecure", "This browser gives pages neither camera nor microphone. You can watch, and send the generated picture.");
    return;
  }
  const code = (text) => element("code", { textContent: text });
  // The whole of it holds one's token, which is not for everyone who looks at the screen.
  const link = (href) => element("a", { href, textContent: new URL("/", href).href });
  notice("insecure", [
    element("b", { textContent: "No camera and no microphone at this address. " }),
    "Browsers give them only to https, and to pages of this very computer. You can watch, and send the generated picture. For a camera, ask whoever runs the node to start it with ",
    code("--api-tls self-signed"),
    " or a certificate; or run ",
    code(advice.tunnel),
    " and open ",
    link(advice.local),
    ".",
  ]);
}

function remembered() {
  try {
    return localStorage.getItem("forwarder.name") ?? "";
  } catch {
    return "";
  }
}

function remember(name) {
  try {
    localStorage.setItem("forwarder.name", name);
  } catch {
    // Storage is turned off; the name is asked for again.
  }
}
