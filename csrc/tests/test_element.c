/* Numbers in foreign memory: formats, strides, byte orders, ranges. */
#include <math.h>

#include "../core/element.h"
#include "../core/half.h"
#include "check.h"

static float get_f32(const uint8_t *p)
{
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                    (uint32_t)p[3] << 24;
    return mvn_f32_from_bits(bits);
}

static void formats_are_parsed(void)
{
    static const struct {
        const char *format;
        size_t itemsize;
        mvn_element element;
    } table[] = {
        {NULL, 1, MVN_ELEMENT_U8},  {NULL, 2, MVN_ELEMENT_OTHER}, {"B", 1, MVN_ELEMENT_U8},
        {"c", 1, MVN_ELEMENT_U8},   {"b", 1, MVN_ELEMENT_I8},     {"?", 1, MVN_ELEMENT_BOOL},
        {"h", 2, MVN_ELEMENT_I16},  {"H", 2, MVN_ELEMENT_U16},    {"i", 4, MVN_ELEMENT_I32},
        {"I", 4, MVN_ELEMENT_U32},  {"l", 8, MVN_ELEMENT_I64},    {"<l", 4, MVN_ELEMENT_I32},
        {"L", 8, MVN_ELEMENT_U64},  {"q", 8, MVN_ELEMENT_I64},    {"Q", 8, MVN_ELEMENT_U64},
        {"n", 8, MVN_ELEMENT_I64},  {"N", 8, MVN_ELEMENT_U64},    {"e", 2, MVN_ELEMENT_F16},
        {"@f", 4, MVN_ELEMENT_F32}, {"=d", 8, MVN_ELEMENT_F64},   {"f", 8, MVN_ELEMENT_OTHER},
        {"g", 16, MVN_ELEMENT_OTHER}, {"Zf", 8, MVN_ELEMENT_OTHER}, {"2f", 8, MVN_ELEMENT_OTHER},
        {"", 1, MVN_ELEMENT_OTHER}, {"<", 1, MVN_ELEMENT_OTHER},  {"O", 8, MVN_ELEMENT_OTHER},
        {"T{f:x:}", 4, MVN_ELEMENT_OTHER}, {"i", 3, MVN_ELEMENT_OTHER},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        bool swapped = true;
        CHECK_EQUAL(mvn_element_parse(table[i].format, table[i].itemsize, &swapped),
                    table[i].element);
        CHECK(!swapped);
    }
}

static void byte_order_is_parsed(void)
{
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1, swapped;
    CHECK_EQUAL(mvn_element_parse("<f", 4, &swapped), MVN_ELEMENT_F32);
    CHECK(swapped == !little);
    CHECK_EQUAL(mvn_element_parse(">d", 8, &swapped), MVN_ELEMENT_F64);
    CHECK(swapped == little);
    CHECK_EQUAL(mvn_element_parse("!h", 2, &swapped), MVN_ELEMENT_I16);
    CHECK(swapped == little);
}

static const mvn_element all_types[] = {
    MVN_ELEMENT_BOOL, MVN_ELEMENT_I8,  MVN_ELEMENT_U8,  MVN_ELEMENT_I16, MVN_ELEMENT_U16,
    MVN_ELEMENT_I32,  MVN_ELEMENT_U32, MVN_ELEMENT_I64, MVN_ELEMENT_U64, MVN_ELEMENT_F16,
    MVN_ELEMENT_BF16, MVN_ELEMENT_F32, MVN_ELEMENT_F64,
};
#define N_TYPES (sizeof(all_types) / sizeof(all_types[0]))

static bool is_unsigned(mvn_element type)
{
    return type == MVN_ELEMENT_U8 || type == MVN_ELEMENT_U16 || type == MVN_ELEMENT_U32 ||
           type == MVN_ELEMENT_U64;
}

/* Lays `value`, which the type can hold, into memory as an element in either byte order. */
static void put(uint8_t *memory, mvn_element type, bool swapped, double value)
{
    uint8_t raw[8] = {0};
    size_t size = mvn_element_size(type);
#define PUT(type, expression)                                                                     \
    do {                                                                                          \
        type v_ = (type)(expression);                                                             \
        memcpy(raw, &v_, sizeof(v_));                                                             \
    } while (0)
    switch (type) {
    case MVN_ELEMENT_BOOL: PUT(uint8_t, value); break;
    case MVN_ELEMENT_I8: PUT(int8_t, value); break;
    case MVN_ELEMENT_U8: PUT(uint8_t, value); break;
    case MVN_ELEMENT_I16: PUT(int16_t, value); break;
    case MVN_ELEMENT_U16: PUT(uint16_t, value); break;
    case MVN_ELEMENT_I32: PUT(int32_t, value); break;
    case MVN_ELEMENT_U32: PUT(uint32_t, value); break;
    case MVN_ELEMENT_I64: PUT(int64_t, value); break;
    case MVN_ELEMENT_U64: PUT(uint64_t, value); break;
    case MVN_ELEMENT_F16: PUT(uint16_t, mvn_f16_from_f32((float)value)); break;
    case MVN_ELEMENT_BF16: PUT(uint16_t, mvn_bf16_from_f32((float)value)); break;
    case MVN_ELEMENT_F32: PUT(float, value); break;
    case MVN_ELEMENT_F64: PUT(double, value); break;
    case MVN_ELEMENT_OTHER: break;
    }
#undef PUT
    for (size_t b = 0; b < size; b++) {
        memory[b] = swapped ? raw[size - 1 - b] : raw[b];
    }
}

/* 3 and -2 (or 200) as every element type, in both byte orders, apart by an odd stride. */
static void every_type_becomes_f32(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        for (int swapped = 0; swapped < 2; swapped++) {
            uint8_t memory[64] = {0}, out[12] = {0};
            double want[2] = {3.0, is_unsigned(all_types[t]) ? 200.0 : -2.0};
            if (all_types[t] == MVN_ELEMENT_U64) {
                want[1] = 0x1p63;
            }
            put(memory + 3, all_types[t], swapped != 0, want[0]);
            put(memory + 14, all_types[t], swapped != 0,
                all_types[t] == MVN_ELEMENT_BOOL ? 0.0 : want[1]);
            if (all_types[t] == MVN_ELEMENT_BOOL) {
                want[0] = 1.0;
                want[1] = 0.0;
            }
            mvn_strided source = {memory + 3, 11, 2, all_types[t], swapped != 0};
            mvn_strided_to_f32(&source, out);
            CHECK(get_f32(out) == (float)want[0]);
            CHECK(get_f32(out + 4) == (float)want[1]);
            CHECK(get_f32(out + 8) == 0.0f);
            CHECK(mvn_strided_get(&source, 1) == want[1]);
        }
    }
}

/* 1 and 100 as every type, in both byte orders, into halves and bytes. */
static void every_type_becomes_halves_and_bytes(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        for (int swapped = 0; swapped < 2; swapped++) {
            uint8_t memory[32] = {0}, out[4];
            bool is_bool = all_types[t] == MVN_ELEMENT_BOOL;
            put(memory + 1, all_types[t], swapped != 0, 1.0);
            put(memory + 12, all_types[t], swapped != 0, is_bool ? 1.0 : 100.0);
            mvn_strided source = {memory + 1, 11, 2, all_types[t], swapped != 0};
            CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F16, out), 2);
            CHECK(memcmp(out, is_bool ? "\0\x3c\0\x3c" : "\0\x3c\x40\x56", 4) == 0);
            CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_BF16, out), 2);
            CHECK(memcmp(out, is_bool ? "\x80\x3f\x80\x3f" : "\x80\x3f\xc8\x42", 4) == 0);
            CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_I8, out), 2);
            CHECK_EQUAL(out[1], is_bool ? 1 : 100);
            CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_U8, out), 2);
            CHECK_EQUAL(out[1], is_bool ? 1 : 100);
        }
    }
}

/* What is no byte stops the conversion, whichever type it has. */
static void every_type_is_checked_against_bytes(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        mvn_element type = all_types[t];
        uint8_t memory[32] = {0}, out[2] = {0};
        size_t size = mvn_element_size(type);
        mvn_strided source = {memory, 11, 2, type, false};
        if (type == MVN_ELEMENT_BOOL) {
            continue;
        }
        put(memory, type, false, 1.0);
        if (!is_unsigned(type)) {
            put(memory + 11, type, false, -1.0);
            CHECK_EQUAL(mvn_strided_to_u8(&source, out), 1);
            CHECK_EQUAL(mvn_strided_to_i8(&source, out), 2);
            CHECK_EQUAL(out[1], 0xff);
        }
        if (type == MVN_ELEMENT_U8 || size > 1) {
            put(memory + 11, type, false, 200.0);
            CHECK_EQUAL(mvn_strided_to_i8(&source, out), 1);
            CHECK_EQUAL(mvn_strided_to_u8(&source, out), 2);
            CHECK_EQUAL(out[1], 200);
        }
        if (size > 1) {
            put(memory + 11, type, false, 256.0);
            CHECK_EQUAL(mvn_strided_to_u8(&source, out), 1);
        }
        if (size > 1 && !is_unsigned(type)) {
            put(memory + 11, type, false, -129.0);
            CHECK_EQUAL(mvn_strided_to_i8(&source, out), 1);
        }
    }
}

static void integers_of_every_type_are_exact(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        mvn_element type = all_types[t];
        bool integer = mvn_element_is_integer(type);
        for (int swapped = 0; swapped < 2; swapped++) {
            uint8_t memory[8] = {0};
            int64_t value = 5;
            put(memory, type, swapped != 0, 1.0);
            mvn_strided source = {memory, 8, 1, type, swapped != 0};
            CHECK_EQUAL(mvn_strided_get_int(&source, 0, &value), integer);
            CHECK_EQUAL(value, integer ? 1 : 5);
        }
    }
}

/* An element that nobody knows: nothing is written. */
static void other_types_are_nothing(void)
{
    uint8_t memory[2] = {1, 2}, out[8];
    int64_t value = 0;
    mvn_strided source = {memory, 1, 2, MVN_ELEMENT_OTHER, false};
    memset(out, 0xaa, sizeof(out));
    CHECK_EQUAL(mvn_element_size(MVN_ELEMENT_OTHER), 0);
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F32, out), 2);
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F16, out), 2);
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_BF16, out), 2);
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_I8, out), 2);
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_U8, out), 2);
    CHECK_BYTES(out, sizeof(out), "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa");
    CHECK(mvn_strided_get(&source, 0) == 0.0);
    CHECK(!mvn_strided_get_int(&source, 0, &value));
}

static void no_elements_are_no_memory(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        mvn_strided source = {NULL, (ptrdiff_t)mvn_element_size(all_types[t]), 0, all_types[t],
                              false};
        CHECK_EQUAL(mvn_strided_to(&source, all_types[t], NULL), 0);
        mvn_strided_copy(&source, NULL);
    }
}

static void contiguous_f32_is_copied_and_negative_strides_reverse(void)
{
    float values[3] = {1.5f, -0.0f, INFINITY};
    uint8_t out[12];
    mvn_strided source = {(const uint8_t *)values, 4, 3, MVN_ELEMENT_F32, false};
    mvn_strided_to_f32(&source, out);
    CHECK(memcmp(out, values, sizeof(out)) == 0);
    source.data = (const uint8_t *)&values[2];
    source.stride = -4;
    mvn_strided_to_f32(&source, out);
    CHECK(isinf(get_f32(out)) && get_f32(out + 8) == 1.5f);
    source.stride = 0;
    mvn_strided_to_f32(&source, out);
    CHECK(isinf(get_f32(out + 4)));
    source.count = 0;
    source.data = NULL;
    mvn_strided_to_f32(&source, NULL);
}

static void doubles_round_once_and_overflow_to_infinity(void)
{
    double values[4] = {1.0 + 0x1p-24, 1.0 + 0x1.8p-23, 1e39, -1e-60};
    uint8_t out[16];
    mvn_strided source = {(const uint8_t *)values, 8, 4, MVN_ELEMENT_F64, false};
    mvn_strided_to_f32(&source, out);
    CHECK(get_f32(out) == 1.0f);
    CHECK(get_f32(out + 4) == 1.0f + 0x1p-22f);
    CHECK(isinf(get_f32(out + 8)));
    CHECK(get_f32(out + 12) == 0.0f && signbit(get_f32(out + 12)));
}

static void runs_of_doubles_of_every_length(void)
{
    double values[9] = {0.1, -2.5, 1e39, -0.0, 3e-39, 7.0, 1e-60, 65504.0, 1.0 + 0x1p-25};
    for (size_t count = 0; count <= 9; count++) {
        uint8_t out[40];
        memset(out, 0xaa, sizeof(out));
        mvn_strided source = {(const uint8_t *)values, 8, count, MVN_ELEMENT_F64, false};
        CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F32, out), count);
        for (size_t i = 0; i < count; i++) {
            CHECK(mvn_f32_bits(get_f32(out + 4 * i)) == mvn_f32_bits((float)values[i]));
        }
        CHECK_EQUAL(out[4 * count], 0xaa);
    }
}

static void every_target_is_reached(void)
{
    int8_t values[2] = {1, -1};
    uint8_t out[8];
    mvn_strided source = {(const uint8_t *)values, 1, 2, MVN_ELEMENT_I8, false};
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F32, out), 2);
    CHECK_BYTES(out, 8, "\0\0\x80\x3f\0\0\x80\xbf");
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_F16, out), 2);
    CHECK_BYTES(out, 4, "\0\x3c\0\xbc");
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_BF16, out), 2);
    CHECK_BYTES(out, 4, "\x80\x3f\x80\xbf");
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_I8, out), 2);
    CHECK_BYTES(out, 2, "\x01\xff");
    CHECK_EQUAL(mvn_strided_to(&source, MVN_ELEMENT_U8, out), 1);
}

static void halves_are_kept_bit_for_bit(void)
{
    uint16_t halves[3] = {0x3c00, 0x7d01, 0xfc00}; /* 1, a signalling NaN, -infinity */
    uint8_t out[6];
    mvn_strided source = {(const uint8_t *)halves, 2, 3, MVN_ELEMENT_F16, false};
    mvn_strided_to_f16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x00\x3c\x01\x7d\x00\xfc");
    source.swapped = true;
    mvn_strided_to_f16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x3c\x00\x7d\x01\xfc\x00");
    source.swapped = false;
    source.element = MVN_ELEMENT_BF16;
    mvn_strided_to_bf16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x00\x3c\x01\x7d\x00\xfc");
    source.swapped = true;
    mvn_strided_to_bf16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x3c\x00\x7d\x01\xfc\x00");
}

static void floats_become_halves(void)
{
    float values[2] = {1.0f, -2.5f};
    uint8_t out[4];
    mvn_strided source = {(const uint8_t *)values, 4, 2, MVN_ELEMENT_F32, false};
    mvn_strided_to_f16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x00\x3c\x00\xc1");
    mvn_strided_to_bf16(&source, out);
    CHECK_BYTES(out, sizeof(out), "\x80\x3f\x20\xc0");
}

static void integers_are_checked_against_bytes(void)
{
    int64_t values[6] = {-128, 127, 0, 128, -129, INT64_MIN};
    uint64_t large[2] = {255, UINT64_MAX};
    uint8_t out[6] = {0};
    mvn_strided source = {(const uint8_t *)values, 8, 6, MVN_ELEMENT_I64, false};
    CHECK_EQUAL(mvn_strided_to_i8(&source, out), 3);
    CHECK_BYTES(out, 3, "\x80\x7f\x00");
    source.count = 3;
    CHECK_EQUAL(mvn_strided_to_i8(&source, out), 3);
    CHECK_EQUAL(mvn_strided_to_u8(&source, out), 0);
    source.data = (const uint8_t *)&values[5];
    source.count = 1;
    CHECK_EQUAL(mvn_strided_to_i8(&source, out), 0);
    mvn_strided big = {(const uint8_t *)large, 8, 2, MVN_ELEMENT_U64, false};
    CHECK_EQUAL(mvn_strided_to_u8(&big, out), 1);
    CHECK_EQUAL(out[0], 255);
    CHECK_EQUAL(mvn_strided_to_i8(&big, out), 0);
}

static void copies_follow_the_stride(void)
{
    uint16_t values[4] = {0x0102, 0x0304, 0x0506, 0x0708};
    uint8_t out[4];
    mvn_strided source = {(const uint8_t *)values, 4, 2, MVN_ELEMENT_U16, false};
    mvn_strided_copy(&source, out);
    CHECK(memcmp(out, &values[0], 2) == 0 && memcmp(out + 2, &values[2], 2) == 0);
    source.stride = 2;
    mvn_strided_copy(&source, out);
    CHECK(memcmp(out, values, 4) == 0);
}

static void integers_are_exact(void)
{
    const int64_t big[] = {INT64_MIN, INT64_MAX};
    const uint64_t wide[] = {(uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1};
    const uint16_t foreign = (uint16_t)(0x0102);
    const float number = 1.5f;
    mvn_strided source = {(const uint8_t *)big, 8, 2, MVN_ELEMENT_I64, false};
    int64_t value = 0;
    CHECK(mvn_strided_get_int(&source, 0, &value));
    CHECK_EQUAL(value, INT64_MIN);
    CHECK(mvn_strided_get_int(&source, 1, &value));
    CHECK_EQUAL(value, INT64_MAX);
    source.data = (const uint8_t *)wide;
    source.element = MVN_ELEMENT_U64;
    CHECK(mvn_strided_get_int(&source, 0, &value));
    CHECK_EQUAL(value, INT64_MAX);
    CHECK(!mvn_strided_get_int(&source, 1, &value));
    mvn_strided swapped = {(const uint8_t *)&foreign, 2, 1, MVN_ELEMENT_U16, true};
    CHECK(mvn_strided_get_int(&swapped, 0, &value));
    CHECK_EQUAL(value, 0x0201);
    mvn_strided real = {(const uint8_t *)&number, 4, 1, MVN_ELEMENT_F32, false};
    CHECK(!mvn_strided_get_int(&real, 0, &value));
}

int main(void)
{
    RUN(formats_are_parsed);
    RUN(byte_order_is_parsed);
    RUN(every_type_becomes_f32);
    RUN(every_type_becomes_halves_and_bytes);
    RUN(every_type_is_checked_against_bytes);
    RUN(integers_of_every_type_are_exact);
    RUN(other_types_are_nothing);
    RUN(no_elements_are_no_memory);
    RUN(contiguous_f32_is_copied_and_negative_strides_reverse);
    RUN(doubles_round_once_and_overflow_to_infinity);
    RUN(runs_of_doubles_of_every_length);
    RUN(every_target_is_reached);
    RUN(halves_are_kept_bit_for_bit);
    RUN(floats_become_halves);
    RUN(integers_are_checked_against_bytes);
    RUN(copies_follow_the_stride);
    RUN(integers_are_exact);
    return check_end();
}
