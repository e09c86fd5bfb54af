/* Registers of 16 floats, and products of bfloat16. */

#define LANES 16
#define CHUNK 4
#define PAIRS
#define NAME "avx512"
#include "tiles.h"

PyMODINIT_FUNC PyInit_avx512(void) { return module(); }
