/* SPDX-License-Identifier: MIT */
/* Names and texts of the error codes, from their one table. */
#include <reverst/error.h>

const char *reverst_strerror(int error) {
  switch (error) {
#define ERROR_TEXT(name, value, text)                                          \
  case value:                                                                  \
    return text;
    REVERST_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
  default:
    return error < 0 ? "unknown error" : "success";
  }
}

const char *reverst_error_name(int error) {
  switch (error) {
#define ERROR_NAME(name, value, text)                                          \
  case value:                                                                  \
    return "REVERST_ERR_" #name;
    REVERST_ERRORS(ERROR_NAME)
#undef ERROR_NAME
  default:
    return error < 0 ? "REVERST_ERR_UNKNOWN" : "REVERST_OK";
  }
}
