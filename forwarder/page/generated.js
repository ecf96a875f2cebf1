// A picture that moves, with a number to read, and a tone: something to publish where there is no camera, and something that
// a script can check at the far end.

import { drawCode, HEIGHT } from "./picture_code.js";

const WIDTH = 640;
const TALL = 360;
const FRAMES_PER_SECOND = 30;

/** The tone of a source, in hertz: steps that a spectrum of 2,048 points at 48 kHz tells apart. */
export function toneOf(source) {
  return 300 + (source % 32) * 50;
}

/** Starts one; `stop` ends it. `source` is 0 to 4095. */
export function generate(source) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = TALL;
  const context = canvas.getContext("2d", { alpha: false });
  let frame = 0;
  draw(context, source, frame);
  const [video] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  video.contentHint = "motion";

  const ticker = new Worker(new URL("./ticker.js", import.meta.url));
  ticker.addEventListener("message", () => {
    frame += 1;
    draw(context, source, frame);
  });
  ticker.postMessage(FRAMES_PER_SECOND);

  const sound = tone(toneOf(source));
  return {
    video,
    audio: sound.track,
    stop() {
      ticker.terminate();
      video.stop();
      sound.stop();
    },
  };
}

function draw(context, source, frame) {
  const seconds = frame / FRAMES_PER_SECOND;
  const hue = (source * 47) % 360;
  const floor = TALL * (1 - HEIGHT);
  const sky = context.createLinearGradient(0, 0, WIDTH, floor);
  sky.addColorStop(0, `hsl(${hue} 45% 24%)`);
  sky.addColorStop(1, `hsl(${hue + 50} 45% 40%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, floor);
  for (let ball = 0; ball < 5; ball += 1) {
    const angle = seconds * (0.7 + ball * 0.13) + ball * 1.3;
    context.fillStyle = `hsl(${hue + ball * 28} 70% ${58 + ball * 5}% / 0.85)`;
    context.beginPath();
    context.arc(WIDTH * (0.5 + 0.42 * Math.sin(angle)), floor * (0.5 + 0.36 * Math.cos(angle * 1.31)), 16 + ball * 5, 0, 7);
    context.fill();
  }
  context.textAlign = "center";
  context.fillStyle = "#fff";
  context.font = "600 120px system-ui, sans-serif";
  context.fillText(String(source), WIDTH / 2, floor * 0.56);
  context.font = "500 30px ui-monospace, monospace";
  context.fillText(`frame ${frame}`, WIDTH / 2, floor * 0.78);
  drawCode(context, WIDTH, TALL, source, frame);
}

function tone(frequency) {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency });
  const volume = new GainNode(context, { gain: 0.08 });
  const out = context.createMediaStreamDestination();
  oscillator.connect(volume).connect(out);
  oscillator.start();
  // Without a click or a key the browser keeps sound from pages, that of their own making included.
  const wake = () => void context.resume();
  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, wake);
  wake();
  return {
    track: out.stream.getAudioTracks()[0],
    stop() {
      for (const type of ["pointerdown", "keydown"]) document.removeEventListener(type, wake);
      void context.close();
    },
  };
}
