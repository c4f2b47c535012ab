/* Stands in for cuRAND where a machine has none: PyTorch no longer brings it. Candle makes a generator with every device,
 * and mga never draws from it (its numbers come from the CPU). So making one succeeds, and drawing fails.
 * A missing function would keep the program from starting: pack.sh starts it with this in place. */
enum { SUCCESS = 0, LAUNCH_FAILURE = 201 };

static int generator;

int curandCreateGenerator(void **made, int kind) {
    (void)kind;
    *made = &generator;
    return SUCCESS;
}

int curandDestroyGenerator(void *of) {
    (void)of;
    return SUCCESS;
}

int curandSetStream(void *of, void *stream) {
    (void)of;
    (void)stream;
    return SUCCESS;
}

int curandSetPseudoRandomGeneratorSeed(void *of, unsigned long long seed) {
    (void)of;
    (void)seed;
    return SUCCESS;
}

int curandSetGeneratorOffset(void *of, unsigned long long offset) {
    (void)of;
    (void)offset;
    return SUCCESS;
}

#define FAILS(name) \
    int name(void) { return LAUNCH_FAILURE; }
FAILS(curandGenerateUniform)
FAILS(curandGenerateUniformDouble)
FAILS(curandGenerateNormal)
FAILS(curandGenerateNormalDouble)
FAILS(curandGenerateLogNormal)
FAILS(curandGenerateLogNormalDouble)
FAILS(curandGenerate)
