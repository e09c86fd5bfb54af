/* Registers of 8 floats. */

#define LANES 8
#define CHUNK 2
#define NAME "avx2"
#include "tiles.h"

PyMODINIT_FUNC PyInit_avx2(void) { return module(); }
