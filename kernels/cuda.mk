# Builds the GPU's code: the portable kernels, and every kernel that only CUDA has, one module each.
#   make -f cuda.mk NVCC=<nvcc> OUT=<logs> RES=<folder of the modules>     called by Maven
# A module NAME is NAME.ptx, which the driver compiles for the GPU at hand (compute_80 and newer), and
# NAME.sm_90a.cubin, ready for Hopper. A file of src/main/cuda whose header says "Target sm_90a" uses what only Hopper
# has: a cubin alone. No kernel may spill registers: the build fails and says which does.
NVCC ?= nvcc
OUT ?= target/nvcc
RES ?= target/classes/cuda
PORTABLE := src/main/portable
CUDA := src/main/cuda
Q := $(if $(V),,@)

NVCCFLAGS := -std=c++17 -Werror all-warnings
# Rounded as written, as the tests on the host do; where a fused multiply-add pays, the source says fma.
PORTABLEFLAGS := -x cu -fmad=false

KERNELS := $(wildcard $(CUDA)/*.cu)
HOPPER := $(patsubst $(CUDA)/%.cu,%,$(if $(KERNELS),$(shell grep -l '^// .*Target sm_90a' $(KERNELS))))
BOTH := $(filter-out $(HOPPER),$(patsubst $(CUDA)/%.cu,%,$(KERNELS)))
PTX := portable $(BOTH)
CUBIN := portable $(BOTH) $(HOPPER)
HEADERS := cuda.mk $(wildcard $(PORTABLE)/*.h $(CUDA)/*.h $(CUDA)/*.cuh)

modules: $(PTX:%=$(RES)/%.ptx) $(CUBIN:%=$(RES)/%.sm_90a.cubin) $(RES)/toolkit
	@:
.DELETE_ON_ERROR:

# $(call built,command,log): runs nvcc or ptxas, whose -v says what spills.
define built
	@mkdir -p $(OUT) $(RES)
	$(Q)$(1) 2> $(2) || { cat $(2) >&2; exit 1; }
	@awk '/Compiling entry/ { split($$0, part, "\047"); kernel = part[2] " for " part[4] } \
	  /spill stores/ && !/ 0 bytes spill stores, 0 bytes spill loads/ { print "$(2): " kernel " spills:" $$0; bad = 1 } \
	  END { exit bad }' $(2) >&2
endef
CUBINFLAGS := -cubin -arch=sm_90a -Xptxas -v
PTXFLAGS := -ptx -arch=compute_80

$(RES)/portable.ptx: $(PORTABLE)/all.kk $(wildcard $(PORTABLE)/*.kk) $(HEADERS)
	$(call built,$(NVCC) $(NVCCFLAGS) $(PORTABLEFLAGS) $(PTXFLAGS) $< -o $@,$(OUT)/portable.ptx.log)
	$(call built,$(NVCC) -cubin -arch=sm_80 -Xptxas -v -o $(OUT)/portable.sm_80.cubin $@,$(OUT)/portable.sm_80.log)
$(RES)/portable.sm_90a.cubin: $(PORTABLE)/all.kk $(wildcard $(PORTABLE)/*.kk) $(HEADERS)
	$(call built,$(NVCC) $(NVCCFLAGS) $(PORTABLEFLAGS) $(CUBINFLAGS) $< -o $@,$(OUT)/portable.sm_90a.log)

$(BOTH:%=$(RES)/%.ptx): $(RES)/%.ptx: $(CUDA)/%.cu $(HEADERS)
	$(call built,$(NVCC) $(NVCCFLAGS) $(PTXFLAGS) $< -o $@,$(OUT)/$*.ptx.log)
	$(call built,$(NVCC) -cubin -arch=sm_80 -Xptxas -v -o $(OUT)/$*.sm_80.cubin $@,$(OUT)/$*.sm_80.log)
$(patsubst %,$(RES)/%.sm_90a.cubin,$(BOTH) $(HOPPER)): $(RES)/%.sm_90a.cubin: $(CUDA)/%.cu $(HEADERS)
	$(call built,$(NVCC) $(NVCCFLAGS) $(CUBINFLAGS) $< -o $@,$(OUT)/$*.sm_90a.log)

# The CUDA version whose driver is the first to read this PTX.
$(RES)/toolkit: $(PTX:%=$(RES)/%.ptx)
	@$(NVCC) --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p' > $@

.PHONY: modules
