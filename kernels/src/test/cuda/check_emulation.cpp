#include "check.h"
void check_emulation() {}
void check_quantised() {}
void check_rows() {}
void check_tables() {}
