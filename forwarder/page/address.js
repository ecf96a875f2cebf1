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
 * What to do where a browser keeps camera and microphone from the page: it gives them only to https and to this very machine
 * (Secure Contexts, 3.1). A node serves either http or https at its port, so a page that came by http has no https to offer; but ssh
 * brings the port here. The tunnel leads to the address that the page came from, for the API may listen at no other. `undefined`
 * where all is well.
 */
export function insecureAdvice(location, isSecureContext) {
  if (isSecureContext) return undefined;
  const { hostname, pathname, hash } = location;
  const port = Number(location.port || 80);
  // Ports below are not for everyone.
  const near = port < 1024 ? port + 8000 : port;
  const way = `${near}:${hostname}:${port}`;
  return {
    // A shell takes brackets for a pattern.
    tunnel: `ssh -N -L ${hostname.startsWith("[") ? `'${way}'` : way} ${bare(hostname)}`,
    local: `http://localhost:${near}${pathname}${hash}`,
  };
}

/** ssh wants an IPv6 address without brackets. */
function bare(host) {
  return host.replace(/^\[(.*)\]$/, "$1");
}
