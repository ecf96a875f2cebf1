// Cameras, microphones and screens, and what to tell people who do not get at them.

/** What the browser does to the sound of a microphone; names as in MediaTrackConstraints. */
export const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];

export const canCapture = () => navigator.mediaDevices?.getUserMedia !== undefined;
export const canShareScreen = () => navigator.mediaDevices?.getDisplayMedia !== undefined;

/** A track of a microphone; `processing` says for each of PROCESSING whether it is wanted. */
export async function openMicrophone(deviceId, processing) {
  const audio = { ...processing, ...exactly(deviceId) };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  return stream.getAudioTracks()[0];
}

export async function openCamera(deviceId) {
  const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, ...exactly(deviceId) };
  const stream = await navigator.mediaDevices.getUserMedia({ video });
  return stream.getVideoTracks()[0];
}

export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } } });
  const [track] = stream.getVideoTracks();
  track.contentHint = "detail";
  return track;
}

const exactly = (deviceId) => (deviceId ? { deviceId: { exact: deviceId } } : {});

/** `{ audioinput, videoinput }`, each a list of `{ id, label }`. Labels are empty until something was allowed. */
export async function listDevices() {
  const all = canCapture() ? await navigator.mediaDevices.enumerateDevices() : [];
  const of = (kind, name) =>
    all
      .filter((device) => device.kind === kind && device.deviceId !== "")
      .map(({ deviceId, label }, at) => ({ id: deviceId, label: label || `${name} ${at + 1}` }));
  return { audioinput: of("audioinput", "Microphone"), videoinput: of("videoinput", "Camera") };
}

/** What went wrong with `what` ("camera", "microphone", "screen"), and what helps. */
export function explain(error, what) {
  switch (error.name) {
    case "NotAllowedError":
      return what === "screen"
        ? "No screen was chosen, or sharing it is not allowed on this system."
        : `This page may not use the ${what}. Allow it beside the address, or in the settings of your system, and try again.`;
    case "NotFoundError":
      return `There is no ${what} here. Connect one, or choose another source.`;
    case "OverconstrainedError":
      return `The ${what} that you chose is not there any more. Choose another one.`;
    case "NotReadableError":
    case "AbortError":
      return `The ${what} does not start. Perhaps another program uses it.`;
    case "SecurityError":
      return `The use of the ${what} is turned off in this browser.`;
    default:
      return `The ${what} could not be opened: ${error.message}`;
  }
}
