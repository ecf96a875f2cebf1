"""Bodies of WHIP and WHEP are texts; Schemathesis knows no serialisation of their media types by itself."""

import schemathesis


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def text(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
