// How each browser is started: without a window, without a sandbox (the tests are root in a namespace), without asking anybody.

import { createRequire } from 'node:module';

const CHROMIUM = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  // Asks nobody for cameras and screens, and takes those that it makes up itself.
  '--use-fake-ui-for-media-stream',
  // Host candidates are addresses, not names that only mDNS knows: namespaces have none.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // A page that nobody looks at runs at full speed.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--no-first-run',
];

const FIREFOX = {
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // The page and a forwarder on the same host are at loopback addresses, or at one with a forwarder there.
  'media.peerconnection.ice.loopback': true,
  'network.proxy.type': 0,
  'app.update.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'toolkit.telemetry.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  // It asks for codecs of the network otherwise.
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

// The tone of Firefox's fake microphone, Hz, unless told: the only one that it publishes.
const TONE = 965;

export function launch({ kind, program, modules, profile, y4m, tone, args }) {
  const puppeteer = createRequire(`${modules}/`)('puppeteer-core');
  const more = args ?? [];
  const common = {
    executablePath: program,
    userDataDir: profile,
    headless: true,
    // A node that makes its own certificate is one of the scenarios.
    acceptInsecureCerts: true,
    // Five browsers start at once, on a machine that may have other things to do.
    timeout: 120_000,
    defaultViewport: { width: 1280, height: 800 },
    // The tests tell it when to end.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  };
  if (kind === 'firefox') {
    return puppeteer.launch({
      ...common,
      browser: 'firefox',
      args: more,
      extraPrefsFirefox: { ...FIREFOX, 'media.navigator.audio.fake_frequency': tone ?? TONE },
    });
  }
  // The last one is there to change to; in between is one for depth, which no codec takes.
  const camera = y4m ? ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${y4m}`] : ['--use-fake-device-for-media-stream=fps=30,device-count=4'];
  return puppeteer.launch({ ...common, browser: 'chrome', pipe: true, args: [...CHROMIUM, ...camera, ...more] });
}
