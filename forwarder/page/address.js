// What the page's address says. Everything stands behind the `#`, which browsers send to nobody: tokens do not end up in logs.

/** Room ids that the API takes. */
export const ROOM = /^[A-Za-z0-9._~-]{1,64}$/;

const SOURCES = ["camera", "screen", "generated", "nothing"];

/**
 * Reads `#room=…&name=…&token=…&publish=camera|screen|generated|nothing&number=…&join`. What makes no sense is left out.
 * `join` joins at once, but never with a camera, a microphone or a screen: an address that somebody sent must not turn them on.
 */
export function readFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const room = fields.get("room") ?? "";
  const publish = fields.get("publish");
  const number = Number(fields.get("number") ?? Number.NaN);
  const known = SOURCES.includes(publish) ? publish : undefined;
  return {
    room: ROOM.test(room) ? room : "",
    name: (fields.get("name") ?? "").slice(0, 64),
    token: fields.get("token") ?? "",
    publish: known,
    number: Number.isInteger(number) && number >= 0 && number < 4096 ? number : undefined,
    join: fields.has("join") && (known === "generated" || known === "nothing"),
  };
}

/** The address that others join by: without name and token. */
export function invitation(location, room) {
  return `${location.origin}${location.pathname}#${new URLSearchParams({ room })}`;
}

/**
 * What to open where a browser keeps camera and microphone from the page: it gives them only to https and to this very
 * machine (Secure Contexts, 3.1). `undefined` where all is well.
 */
export function insecureAdvice(location, isSecureContext) {
  if (isSecureContext) return undefined;
  const port = location.port || "80";
  return {
    https: `https://${location.host}${location.pathname}${location.hash}`,
    tunnel: `ssh -N -L ${port === "80" ? 8080 : port}:127.0.0.1:${port} ${bare(location.hostname)}`,
    local: `http://localhost:${port === "80" ? 8080 : port}${location.pathname}${location.hash}`,
  };
}

/** ssh wants an IPv6 address without brackets. */
function bare(host) {
  return host.replace(/^\[(.*)\]$/, "$1");
}
