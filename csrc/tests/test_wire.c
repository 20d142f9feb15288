/* wire.h, wire_writer.h and wire_reader.c: what one writes the other reads, and hostile bytes. */
#include "../core/wire_reader.h"
#include "../core/wire_writer.h"
#include "check.h"

static const uint64_t VALUES[] = {
    0, 1, 127, 128, 300, 16383, 16384, (1u << 21) - 1, 1u << 21, UINT32_MAX,
    (uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX,
};
#define N_VALUES (sizeof(VALUES) / sizeof(VALUES[0]))

static void varints_round_trip(void)
{
    for (size_t i = 0; i < N_VALUES; i++) {
        uint8_t bytes[MVN_MAX_VARINT];
        mvn_writer writer = mvn_writer_over(bytes, sizeof(bytes));
        mvn_write_varint(&writer, VALUES[i]);
        size_t size = (size_t)(writer.pos - bytes);
        CHECK_EQUAL(size, mvn_varint_size(VALUES[i]));
        mvn_reader reader = mvn_reader_over(bytes, size);
        uint64_t value = 0;
        CHECK_EQUAL(mvn_read_varint(&reader, &value), MVN_OK);
        CHECK(value == VALUES[i]);
        CHECK(mvn_reader_done(&reader));
        /* Every prefix is a truncation. */
        for (size_t cut = 0; cut < size; cut++) {
            reader = mvn_reader_over(bytes, cut);
            CHECK_EQUAL(mvn_read_varint(&reader, &value), MVN_ETRUNCATED);
        }
    }
}

static void varint_sizes_at_every_power_of_two(void)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        CHECK_EQUAL(mvn_varint_size((uint64_t)1 << bit), bit / 7 + 1);
    }
    CHECK_EQUAL(mvn_varint_size(0), 1);
    CHECK_EQUAL(mvn_varint_size((uint64_t)-1), 10);
}

static void varints_too_long_are_refused(void)
{
    uint64_t value;
    const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    mvn_reader reader = mvn_reader_over(eleven, sizeof(eleven));
    CHECK_EQUAL(mvn_read_varint(&reader, &value), MVN_EFORMAT);
    const uint8_t bit_65[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    reader = mvn_reader_over(bit_65, sizeof(bit_65));
    CHECK_EQUAL(mvn_read_varint(&reader, &value), MVN_EFORMAT);
}

static void fields_have_the_size_that_was_predicted(void)
{
    uint8_t bytes[64];
    mvn_writer writer = mvn_writer_over(bytes, sizeof(bytes));
    mvn_write_varint_field(&writer, 16, 300);
    size_t first = (size_t)(writer.pos - bytes);
    CHECK_EQUAL(first, mvn_varint_field_size(16, 300));
    mvn_write_bytes_field(&writer, 1, "abc", 3);
    CHECK_EQUAL((size_t)(writer.pos - bytes) - first, mvn_bytes_field_size(1, 3));
    mvn_write_bytes_field(&writer, 2, NULL, 0);
    CHECK_BYTES(bytes, (size_t)(writer.pos - bytes), "\x80\x01\xac\x02\x0a\x03" "abc" "\x12\x00");

    mvn_reader reader = mvn_reader_over(bytes, (size_t)(writer.pos - bytes));
    uint32_t field;
    mvn_wire_type type;
    uint64_t value;
    mvn_span span;
    REQUIRE(mvn_read_tag(&reader, &field, &type) == MVN_OK);
    CHECK_EQUAL(field, 16);
    CHECK_EQUAL(type, MVN_WIRE_VARINT);
    REQUIRE(mvn_read_varint(&reader, &value) == MVN_OK);
    CHECK_EQUAL(value, 300);
    REQUIRE(mvn_read_tag(&reader, &field, &type) == MVN_OK);
    REQUIRE(mvn_read_span(&reader, &span) == MVN_OK);
    CHECK_BYTES(span.data, span.size, "abc");
    REQUIRE(mvn_read_tag(&reader, &field, &type) == MVN_OK);
    REQUIRE(mvn_read_span(&reader, &span) == MVN_OK);
    CHECK_EQUAL(span.size, 0);
    CHECK(mvn_reader_done(&reader));
}

static void fixed_widths_are_little_endian(void)
{
    uint8_t bytes[12];
    mvn_writer writer = mvn_writer_over(bytes, sizeof(bytes));
    mvn_write_u32le(&writer, 0x01020304u);
    mvn_write_u64le(&writer, 0x05060708090a0b0cu);
    CHECK_BYTES(bytes, sizeof(bytes), "\x04\x03\x02\x01\x0c\x0b\x0a\x09\x08\x07\x06\x05");
    mvn_reader reader = mvn_reader_over(bytes, sizeof(bytes));
    uint32_t narrow = 0;
    uint64_t wide = 0;
    CHECK_EQUAL(mvn_read_fixed32(&reader, &narrow), MVN_OK);
    CHECK_EQUAL(mvn_read_fixed64(&reader, &wide), MVN_OK);
    CHECK(narrow == 0x01020304u);
    CHECK(wide == 0x05060708090a0b0cu);
    CHECK_EQUAL(mvn_read_fixed32(&reader, &narrow), MVN_ETRUNCATED);
    const uint8_t one_and_a_half[] = {0, 0, 0xc0, 0x3f};
    CHECK(mvn_load_f32le(one_and_a_half) == 1.5f);
    const uint8_t minus_two[] = {0, 0, 0, 0, 0, 0, 0, 0xc0};
    CHECK(mvn_load_f64le(minus_two) == -2.0);
}

static void spans_cannot_leave_the_bytes(void)
{
    mvn_span span;
    const uint8_t long_by_one[] = {0x03, 'a', 'b'};
    mvn_reader reader = mvn_reader_over(long_by_one, sizeof(long_by_one));
    CHECK_EQUAL(mvn_read_span(&reader, &span), MVN_ETRUNCATED);
    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    reader = mvn_reader_over(huge, sizeof(huge));
    CHECK(mvn_read_span(&reader, &span) != MVN_OK);
}

static void bad_tags_are_refused(void)
{
    uint32_t field;
    mvn_wire_type type;
    const uint8_t zero[] = {0x00};
    mvn_reader reader = mvn_reader_over(zero, sizeof(zero));
    CHECK_EQUAL(mvn_read_tag(&reader, &field, &type), MVN_EFORMAT);
    const uint8_t type_six[] = {0x0e};
    reader = mvn_reader_over(type_six, sizeof(type_six));
    CHECK_EQUAL(mvn_read_tag(&reader, &field, &type), MVN_EFORMAT);
    const uint8_t too_high[] = {0x80, 0x80, 0x80, 0x80, 0x10};
    reader = mvn_reader_over(too_high, sizeof(too_high));
    CHECK_EQUAL(mvn_read_tag(&reader, &field, &type), MVN_EFORMAT);
}

static mvn_status skip_all(const uint8_t *bytes, size_t size)
{
    mvn_reader reader = mvn_reader_over(bytes, size);
    while (!mvn_reader_done(&reader)) {
        uint32_t field;
        mvn_wire_type type;
        mvn_status status = mvn_read_tag(&reader, &field, &type);
        if (status == MVN_OK) {
            status = mvn_skip(&reader, field, type);
        }
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_OK;
}

static void unknown_fields_are_skipped(void)
{
    const uint8_t bytes[] = {
        0x08, 0x96, 0x01,                   /* 1: varint */
        0x11, 1, 2, 3, 4, 5, 6, 7, 8,       /* 2: fixed64 */
        0x1a, 0x02, 'h', 'i',               /* 3: bytes */
        0x23, 0x08, 0x01, 0x2b, 0x2c, 0x24, /* 4: group with a varint and an empty group 5 */
        0x35, 1, 2, 3, 4,                   /* 6: fixed32 */
    };
    CHECK_EQUAL(skip_all(bytes, sizeof(bytes)), MVN_OK);
    const uint8_t wrong_end[] = {0x23, 0x2c};
    CHECK_EQUAL(skip_all(wrong_end, sizeof(wrong_end)), MVN_EFORMAT);
    const uint8_t lone_end[] = {0x24};
    CHECK_EQUAL(skip_all(lone_end, sizeof(lone_end)), MVN_EFORMAT);
    const uint8_t open_end[] = {0x23, 0x08, 0x01};
    CHECK_EQUAL(skip_all(open_end, sizeof(open_end)), MVN_ETRUNCATED);
}

static void groups_nest_only_so_deep(void)
{
    uint8_t deep[2 * (MVN_MAX_DEPTH + 8)];
    size_t half = sizeof(deep) / 2;
    memset(deep, 0x0b, half);
    memset(deep + half, 0x0c, half);
    CHECK_EQUAL(skip_all(deep, sizeof(deep)), MVN_EDEPTH);
    CHECK_EQUAL(skip_all(deep + half - 8, 16), MVN_OK);
}

static void packed_varints_are_counted(void)
{
    size_t count = 99;
    const uint8_t three[] = {0x01, 0x80, 0x01, 0x7f};
    CHECK_EQUAL(mvn_count_varints((mvn_span){three, sizeof(three)}, &count), MVN_OK);
    CHECK_EQUAL(count, 3);
    CHECK_EQUAL(mvn_count_varints((mvn_span){NULL, 0}, &count), MVN_OK);
    CHECK_EQUAL(count, 0);
    CHECK(mvn_count_varints((mvn_span){three, 2}, &count) != MVN_OK);
}

int main(void)
{
    RUN(varints_round_trip);
    RUN(varint_sizes_at_every_power_of_two);
    RUN(varints_too_long_are_refused);
    RUN(fields_have_the_size_that_was_predicted);
    RUN(fixed_widths_are_little_endian);
    RUN(spans_cannot_leave_the_bytes);
    RUN(bad_tags_are_refused);
    RUN(unknown_fields_are_skipped);
    RUN(groups_nest_only_so_deep);
    RUN(packed_varints_are_counted);
    return check_end();
}
