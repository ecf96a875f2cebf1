// What the browser's own statistics (RTCPeerConnection.getStats) say of each stream between two looks at them.

/**
 * `report` is an RTCStatsReport, `before` the one of the last look, if any. Gives `{ transport, streams }`; what cannot be said
 * is `undefined`. Rates are per second, times in seconds, losses parts of 1.
 */
export function summarise(report, before) {
  const streams = [];
  let transport = {};
  for (const now of report.values()) {
    const then = before?.get(now.id);
    if (now.type === "inbound-rtp") streams.push(inbound(now, then, report));
    else if (now.type === "outbound-rtp") streams.push(outbound(now, then, report));
    else if (now.type === "transport") transport = { ...transport, ...ofTransport(now, then, report) };
  }
  // Firefox has no `transport`; the pair in use knows as much.
  if (transport.rtt === undefined) {
    const pairs = [...report.values()].filter(({ type }) => type === "candidate-pair");
    const pair = pairs.find(({ selected, nominated, state }) => selected || (nominated && state === "succeeded"));
    if (pair) transport = { ...transport, ...ofPair(pair, before?.get(pair.id)) };
  }
  transport.sent ??= sum(streams, "out");
  transport.received ??= sum(streams, "in");
  return { transport, streams };
}

function inbound(now, then, report) {
  const lost = difference(now, then, "packetsLost");
  const received = difference(now, then, "packetsReceived");
  const emitted = difference(now, then, "jitterBufferEmittedCount");
  const waited = difference(now, then, "jitterBufferDelay");
  return {
    direction: "in",
    ...common(now, then, report),
    bitrate: bitrate(now, then, "bytesReceived"),
    loss: share(lost, received),
    lost: now.packetsLost,
    jitter: now.jitter,
    buffer: emitted > 0 ? waited / emitted : undefined,
    fps: now.framesPerSecond,
    freezes: now.freezeCount,
    frozen: now.totalFreezesDuration,
    keyframes: now.keyFramesDecoded,
    frames: now.framesDecoded,
    concealed: share(
      difference(now, then, "concealedSamples"),
      difference(now, then, "totalSamplesReceived") - difference(now, then, "concealedSamples"),
    ),
  };
}

function outbound(now, then, report) {
  const far = [...report.values()].find(({ type, localId }) => type === "remote-inbound-rtp" && localId === now.id);
  return {
    direction: "out",
    ...common(now, then, report),
    bitrate: bitrate(now, then, "bytesSent"),
    loss: far?.fractionLost,
    lost: far?.packetsLost,
    jitter: far?.jitter,
    rtt: far?.roundTripTime,
    fps: now.framesPerSecond,
    keyframes: now.keyFramesEncoded,
    frames: now.framesEncoded,
    limited: now.qualityLimitationReason === "none" ? undefined : now.qualityLimitationReason,
  };
}

function common(now, then, report) {
  const codec = report.get(now.codecId);
  return {
    id: now.id,
    kind: now.kind,
    mid: now.mid,
    ssrc: now.ssrc,
    track: now.trackIdentifier,
    codec: codec?.mimeType?.replace(/^(audio|video)\//, ""),
    width: now.frameWidth,
    height: now.frameHeight,
    requests: now.pliCount,
    fresh: then === undefined,
  };
}

function ofTransport(now, then, report) {
  const pair = report.get(now.selectedCandidatePairId);
  return {
    sent: bitrate(now, then, "bytesSent"),
    received: bitrate(now, then, "bytesReceived"),
    suite: now.srtpCipher,
    dtls: now.dtlsState,
    ...(pair && { rtt: pair.currentRoundTripTime, available: pair.availableOutgoingBitrate }),
  };
}

function ofPair(now, then) {
  return {
    sent: bitrate(now, then, "bytesSent"),
    received: bitrate(now, then, "bytesReceived"),
    rtt: now.currentRoundTripTime,
    available: now.availableOutgoingBitrate,
  };
}

function difference(now, then, field) {
  return (now[field] ?? Number.NaN) - (then?.[field] ?? Number.NaN);
}

function bitrate(now, then, field) {
  const seconds = (now.timestamp - (then?.timestamp ?? Number.NaN)) / 1000;
  const bytes = difference(now, then, field);
  return seconds > 0 && bytes >= 0 ? (bytes * 8) / seconds : undefined;
}

/** Of streams alone, where nothing is told of the whole. */
function sum(streams, direction) {
  const known = streams.filter((stream) => stream.direction === direction && stream.bitrate !== undefined);
  return known.length > 0 ? known.reduce((total, { bitrate: one }) => total + one, 0) : undefined;
}

/** Which part of all is `some`; packets that come twice make losses negative. */
function share(some, others) {
  const all = some + others;
  return all > 0 ? Math.max(0, some) / all : undefined;
}
