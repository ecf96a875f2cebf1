// Sound that says whose it is: a tone of one frequency.

// Without a sound card Chromium runs its audio graph by the clock, and Firefox not at all: there the tone is that of its fake
// microphone, whose frequency is a setting of the browser.
async function graph() {
  const context = new AudioContext({ sampleRate: 48000 });
  await Promise.race([context.resume(), new Promise(resolve => setTimeout(resolve, 500))]);
  return context.state === 'running' ? context : null;
}

let shared;

// How loud it is.
const LOUD = 0.4;

// A track with a tone of this frequency, in Hz, and another one on the right if it is given.
export class Tone {
  static async start(frequency, right) {
    shared ??= graph();
    const context = await shared;
    return context ? Tone.oscillating(context, right ? [frequency, right] : [frequency]) : Tone.of(await navigator.mediaDevices.getUserMedia({ audio: true }));
  }

  static oscillating(context, frequencies) {
    const out = new MediaStreamAudioDestinationNode(context);
    const gain = new GainNode(context, { gain: LOUD });
    const merger = new ChannelMergerNode(context, { numberOfInputs: frequencies.length });
    const oscillators = frequencies.map(frequency => new OscillatorNode(context, { frequency }));
    for (const [channel, oscillator] of oscillators.entries()) {
      oscillator.connect(merger, 0, channel);
      oscillator.start();
    }
    merger.connect(gain).connect(out);
    const tone = Tone.of(out.stream);
    Object.assign(tone, { oscillators, gain });
    return tone;
  }

  static of(stream) {
    const tone = new Tone();
    [tone.track] = stream.getAudioTracks();
    return tone;
  }

  quiet(quiet) {
    this.gain.gain.value = quiet ? 0 : LOUD;
  }

  stop() {
    for (const oscillator of this.oscillators ?? []) oscillator.stop();
    this.track.stop();
  }
}

// How long the ear listens at a time, and what it leaves out of it at the start, where the recorder's codec settles.
const LISTENS = 500;
const SETTLES = 0.1;

// Listens to a track, by recordings of half a second: they need neither a sound card nor an element that plays.
export class Ear {
  constructor(track) {
    this.heard = { frequency: 0, level: -200, right: null, recordings: 0 };
    this.stream = new MediaStream([track]);
    // Chromium decodes only what something plays.
    this.element = Object.assign(new Audio(), { muted: true, srcObject: this.stream });
    this.element.play().catch(() => {});
    this.listen();
  }

  async listen() {
    while (this.stream) {
      try {
        const bytes = await record(this.stream);
        const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes);
        const [left, right] = Array.from({ length: sound.numberOfChannels }, (_, channel) => measure(sound, channel));
        this.heard = { ...left, right: right ?? null, recordings: this.heard.recordings + 1 };
      } catch {
        // Nothing came in that half second. A track that has ended says so at once, and nothing else in the page would run.
        this.heard = { ...this.heard, frequency: 0, level: -200, right: null };
        await pause(LISTENS);
      }
    }
  }

  stop() {
    this.stream = null;
    this.element.srcObject = null;
  }
}

function pause(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

async function record(stream) {
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.addEventListener('dataavailable', event => parts.push(event.data));
  const stopped = new Promise(resolve => {
    recorder.addEventListener('stop', resolve);
  });
  const timer = pause(LISTENS);
  recorder.start();
  await timer;
  if (recorder.state !== 'inactive') recorder.stop();
  await stopped;
  return new Blob(parts).arrayBuffer();
}

// Frequency by the crossings of zero, which only a clean tone gives rightly, and level in dB of full scale.
function measure(sound, channel) {
  const samples = sound.getChannelData(channel).subarray(Math.floor(SETTLES * sound.sampleRate));
  if (samples.length === 0) throw new Error('nothing was recorded');
  let [power, rising, first, last] = [0, 0, 0, 0];
  for (let n = 1; n < samples.length; n += 1) {
    power += samples[n] ** 2;
    if (samples[n - 1] < 0 && samples[n] >= 0) {
      rising += 1;
      first ||= n;
      last = n;
    }
  }
  const frequency = rising > 1 ? ((rising - 1) * sound.sampleRate) / (last - first) : 0;
  return { frequency, level: Math.max(-200, 10 * Math.log10(power / samples.length)) };
}
