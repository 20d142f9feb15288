/* Gives each file named on the command line to a fuzz target, once: what fuzzing has found stays
 * tested wherever there is a C compiler. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    uint8_t *data = NULL;
    long size = 0;
    int status = -1;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        goto done;
    }
    rewind(file);
    data = malloc(size == 0 ? 1 : (size_t)size); /* its own block: one byte beyond it is an error */
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        goto done;
    }
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    status = 0;
done:
    if (file != NULL) {
        (void)fclose(file);
    }
    free(data);
    if (status < 0) {
        perror(path);
    }
    return status;
}

int main(int argc, char **argv)
{
    int status = 0;
    for (int i = 1; i < argc; i++) {
        status |= replay(argv[i]);
    }
    printf("%s: %d inputs\n", argv[0], argc - 1);
    return status == 0 && argc > 1 ? 0 : 1;
}
