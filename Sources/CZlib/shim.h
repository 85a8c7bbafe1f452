#pragma once
#include <zlib.h>
// A macro with the version and size of the header, which Swift does not import.
static inline int czlib_inflate_init(z_stream *stream) { return inflateInit(stream); }
