/* SPDX-License-Identifier: MIT */
/* Error codes of the library. */
#ifndef REVERST_ERROR_H
#define REVERST_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* One row per error: name, value, text. A call that fails returns one of these
   and logs an entry that says which file, address or option was at fault. */
#define REVERST_ERRORS(X)                                                      \
  X(NO_MEMORY, -1, "out of memory")                                            \
  X(INVALID, -2, "invalid argument or option")                                 \
  X(AGAIN, -3, "not possible right now; try again later")                      \
  X(CLOSED, -4, "the object is closed")                                        \
  X(ADDRESS, -5, "the address cannot be understood")                           \
  X(RESOLVE, -6, "the name cannot be resolved")                                \
  X(LISTEN, -7, "the address cannot be listened on")                           \
  X(CONNECT, -8, "the connection cannot be made")                              \
  X(CERTIFICATE, -9, "the certificate cannot be used")                         \
  X(PRIVATE_KEY, -10, "the private key cannot be used")                        \
  X(TLS, -11, "TLS failed")                                                    \
  X(SYSTEM, -12, "the operating system reported an error")                     \
  X(LIMIT, -13, "a limit is reached")                                          \
  X(EXISTS, -14, "it exists already")                                          \
  X(PROTOCOL, -15, "the peer violated the protocol")                           \
  X(TIMEOUT, -16, "it took too long")                                          \
  X(MALFORMED, -17, "the data is malformed")                                   \
  X(NO_GROUP_AUTHENTICATION, -18, "the group has no authenticate callback")    \
  X(SECRET, -19, "the secret cannot be used")

enum reverst_error {
#define REVERST_ERROR_ENUM(name, value, text) REVERST_ERR_##name = (value),
  REVERST_ERRORS(REVERST_ERROR_ENUM)
#undef REVERST_ERROR_ENUM
};

/* The text of an error; a static string for any value. */
const char *reverst_strerror(int error);

/* The symbolic name ("REVERST_ERR_AGAIN"); a static string for any value. */
const char *reverst_error_name(int error);

#ifdef __cplusplus
}
#endif
#endif
