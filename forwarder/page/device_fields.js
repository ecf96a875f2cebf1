// The choice of devices, in the lobby and during the call: two copies of one form, and one set of choices.

import { listDevices, PROCESSING } from "./devices.js";

/** Puts the fields into `place`. `onChoice(what)` is told `camera`, `microphone` or `processing`. */
export function deviceFields(place, media, onChoice) {
  place.append(document.getElementById("devices-template").content.cloneNode(true));
  const camera = place.querySelector(".camera-choice");
  const microphone = place.querySelector(".microphone-choice");
  const switches = PROCESSING.map((name) => place.querySelector(`[name="${name}"]`));

  camera.addEventListener("change", () => {
    media.camera = camera.value;
    onChoice("camera");
  });
  microphone.addEventListener("change", () => {
    media.microphone = microphone.value;
    onChoice("microphone");
  });
  for (const choice of switches) {
    choice.addEventListener("change", () => {
      media.processing[choice.name] = choice.checked;
      onChoice("processing");
    });
  }

  const refresh = async () => {
    const { audioinput, videoinput } = await listDevices();
    fill(camera, videoinput, media.camera, "No camera");
    fill(microphone, audioinput, media.microphone, "No microphone");
    for (const choice of switches) choice.checked = media.processing[choice.name];
    const none = /generated|nothing/.test(media.source);
    const shown = { "for-camera": media.source === "camera", "for-microphone": !none, "no-devices": none };
    for (const [name, show] of Object.entries(shown)) {
      for (const field of place.querySelectorAll(`.${name}`)) field.hidden = !show;
    }
  };
  navigator.mediaDevices?.addEventListener?.("devicechange", refresh);
  return refresh;
}

function fill(select, devices, chosen, none) {
  const options = devices.map(({ id, label }) => new Option(label, id, false, id === chosen));
  select.replaceChildren(...(options.length > 0 ? options : [new Option(none, "")]));
  select.disabled = options.length === 0;
}
