// Prototypes of every kernel for the instruction set being compiled (or `ref`), and their error helpers.
#ifndef L4M_KERNELS_H
#define L4M_KERNELS_H

#include "vec.h"

#define K(name, parameters, arguments) int ISA(name) parameters;
#include "kernels.def"
#undef K

#endif
