#include "check.h"
void check_emulation() {}
