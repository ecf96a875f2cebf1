// Publishes as OBS Studio's WHIP output does, with the library that OBS has for it, libdatachannel: the same calls in the same order
// (plugins/obs-webrtc/whip-output.cpp of OBS 31), its packetizers, reports and retransmissions, its POST and its DELETE.
//
//     obs_peer.mjs FFMPEG URL SECONDS FREQUENCY [TOKEN] < pictures of 640x360 in yuv420p, 30 a second
//
// Encoded by ffmpeg as OBS encodes: H.264 without B-frames, a keyframe every two seconds; Opus in 20 ms. ffmpeg is to be silent when
// this program is killed before it.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

// Packages are where Cargo builds, not beside this file.
const { default: rtc } = await import(createRequire(`${process.env.MODULES}/`).resolve('node-datachannel'));

const [ffmpeg, url, seconds, frequency, token] = process.argv.slice(2);

const [AUDIO, VIDEO] = [{ type: 111, rate: 48000 }, { type: 96, rate: 90000 }];
// As OBS has it.
const FRAGMENT = 1200;
const STREAM = 'M1a2B3c4D5e6F7g8';
const CNAME = 'Q1a2B3c4D5e6F7g8';
const SSRC = 1554672893;
const AUD = Buffer.from([0, 0, 0, 1, 9]);

const connection = new rtc.PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true });
const connected = new Promise((resolve, reject) => {
  connection.onStateChange((state) => {
    if (state === 'connected') resolve();
    if (state === 'failed' || state === 'disconnected') reject(new Error(state));
  });
});

function addTrack(description, ssrc, name, { type, rate }, packetize) {
  description.addSSRC(ssrc, CNAME, STREAM, `${STREAM}-${name}`);
  const track = connection.addTrack(description);
  const config = new rtc.RtpPacketizationConfig(ssrc, CNAME, type, rate);
  const packetizer = packetize(config);
  packetizer.addToChain(new rtc.RtcpSrReporter(config));
  packetizer.addToChain(new rtc.RtcpNackResponder());
  track.setMediaHandler(packetizer);
  return { track, config };
}

const opus = new rtc.Audio('0', 'SendOnly');
opus.addOpusCodec(AUDIO.type);
const audio = addTrack(opus, SSRC, 'audio', AUDIO, (config) => new rtc.RtpPacketizer(config));
const h264 = new rtc.Video('1', 'SendOnly');
h264.addH264Codec(VIDEO.type);
const video = addTrack(h264, SSRC + 1, 'video', VIDEO, (config) => new rtc.H264RtpPacketizer('StartSequence', config, FRAGMENT));

connection.setLocalDescription('offer');
const authorization = token ? { authorization: `Bearer ${token}` } : {};
const body = connection.localDescription().sdp;
if (process.env.OFFER) console.log(body);
const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp', ...authorization }, body });
if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
const resource = new URL(answer.headers.get('location'), url);
connection.setRemoteDescription(await answer.text(), 'answer');
await connected;

const started = performance.now();
const encoder = spawn(
  ffmpeg,
  [
    ['-hide_banner', '-loglevel', 'fatal', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', '640x360', '-r', '30', '-i', 'pipe:0'],
    ['-re', '-f', 'lavfi', '-i', `sine=frequency=${frequency}:sample_rate=48000`],
    ['-map', '0:v', '-c:v', 'libx264', '-profile:v', 'main', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '60', '-b:v', '1500k'],
    ['-bsf:v', 'h264_metadata=aud=insert', '-f', 'h264', '-flush_packets', '1', 'pipe:1'],
    ['-map', '1:a', '-c:a', 'libopus', '-ac', '2', '-b:a', '96k', '-page_duration', '20000', '-f', 'ogg', '-flush_packets', '1', 'pipe:3'],
  ].flat(),
  { stdio: ['inherit', 'pipe', 'inherit', 'pipe'] },
);

// Sends what was encoded, at the time that it has now.
function send({ track, config }, rate, data) {
  if (!track.isOpen()) return;
  config.timestamp = Math.floor(((performance.now() - started) / 1000) * rate) >>> 0;
  track.sendMessageBinary(data);
}

// One access unit is from one delimiter to the next.
let pictures = Buffer.alloc(0);
encoder.stdout.on('data', (chunk) => {
  pictures = Buffer.concat([pictures, chunk]);
  for (let end = pictures.indexOf(AUD, AUD.length); end !== -1; end = pictures.indexOf(AUD, AUD.length)) {
    send(video, VIDEO.rate, pictures.subarray(0, end));
    pictures = pictures.subarray(end);
  }
});

// One packet is on a page of Ogg (RFC 3533 section 6), behind those of the two headers (RFC 7845 section 3).
let pages = Buffer.alloc(0);
let page = 0;
encoder.stdio[3].on('data', (chunk) => {
  pages = Buffer.concat([pages, chunk]);
  while (pages.length >= 27) {
    const head = 27 + pages[26];
    if (pages.length < head) return;
    const length = pages.subarray(27, head).reduce((sum, part) => sum + part, 0);
    if (pages.length < head + length) return;
    page += 1;
    if (page > 2) send(audio, AUDIO.rate, pages.subarray(head, head + length));
    pages = pages.subarray(head + length);
  }
});

await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
// Not by a signal that it would take for a reason to write the rest.
encoder.kill('SIGKILL');
connection.close();
const left = await fetch(resource, { method: 'DELETE', headers: authorization });
// OBS warns its user of any other.
if (left.status !== 200) throw new Error(`DELETE: ${left.status}`);
rtc.cleanup();
process.exit(0);
