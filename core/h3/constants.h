/* SPDX-License-Identifier: MIT */
/* Numbers of RFC 9114 and RFC 9204, and bounds of our own. */
#ifndef RV_H3_CONSTANTS_H
#define RV_H3_CONSTANTS_H

/* RFC 9114 section 8.1, RFC 9204 section 6. */
enum rv_h3_code {
  RV_H3_NO_ERROR = 0x100,
  RV_H3_INTERNAL_ERROR = 0x102,
  RV_H3_STREAM_CREATION_ERROR = 0x103,
  RV_H3_CLOSED_CRITICAL_STREAM = 0x104,
  RV_H3_FRAME_UNEXPECTED = 0x105,
  RV_H3_FRAME_ERROR = 0x106,
  RV_H3_EXCESSIVE_LOAD = 0x107,
  RV_H3_ID_ERROR = 0x108,
  RV_H3_SETTINGS_ERROR = 0x109,
  RV_H3_MISSING_SETTINGS = 0x10a,
  RV_H3_REQUEST_REJECTED = 0x10b,
  RV_H3_REQUEST_CANCELLED = 0x10c,
  RV_H3_REQUEST_INCOMPLETE = 0x10d,
  RV_H3_MESSAGE_ERROR = 0x10e,
  RV_QPACK_DECOMPRESSION_FAILED = 0x200,
  RV_QPACK_ENCODER_STREAM_ERROR = 0x201,
  RV_QPACK_DECODER_STREAM_ERROR = 0x202,
};

/* RFC 9114 section 7.2 and 11.2.1, RFC 9218 section 7.2. */
enum rv_h3_frame_type {
  RV_H3_DATA = 0x00,
  RV_H3_HEADERS = 0x01,
  RV_H3_CANCEL_PUSH = 0x03,
  RV_H3_SETTINGS = 0x04,
  RV_H3_PUSH_PROMISE = 0x05,
  RV_H3_GOAWAY = 0x07,
  RV_H3_MAX_PUSH_ID = 0x0d,
  RV_H3_PRIORITY_UPDATE_REQUEST = 0xf0700,
  RV_H3_PRIORITY_UPDATE_PUSH = 0xf0701,
};

/* RFC 9114 section 6.2, RFC 9204 section 4.2. */
enum rv_h3_stream_type {
  RV_H3_CONTROL_STREAM = 0x00,
  RV_H3_PUSH_STREAM = 0x01,
  RV_H3_ENCODER_STREAM = 0x02,
  RV_H3_DECODER_STREAM = 0x03,
};

/* RFC 9114 section 7.2.4.1, RFC 9204 section 5, RFC 9220 section 5. */
enum rv_h3_setting {
  RV_H3_QPACK_MAX_TABLE_CAPACITY = 0x01,
  RV_H3_MAX_FIELD_SECTION_SIZE = 0x06,
  RV_H3_QPACK_BLOCKED_STREAMS = 0x07,
  RV_H3_ENABLE_CONNECT_PROTOCOL = 0x08,
  RV_H3_DATAGRAM = 0x33,
};

enum {
  /* An encoded field section, and what we announce for a decoded one. */
  RV_H3_MAX_SECTION = 80 * 1024,
  RV_H3_MAX_SETTINGS = 4096,
  /* Bytes of frames that mean nothing: on one request stream; on the control
     stream in one minute. */
  RV_H3_MAX_SKIPPED = 65536,
  /* What one stream may send before the next has its turn. */
  RV_H3_QUANTUM = 16384,
};

#endif
