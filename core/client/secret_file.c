/* SPDX-License-Identifier: MIT */
/* Reads a small file whole. */
#include "client/secret_file.h"

#include "base/span.h"
#include <errno.h>
#include <fcntl.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct rv_span trim(struct rv_span text) {
  while (text.length > 0 && is_space(text.data[0])) {
    text.data++;
    text.length--;
  }
  while (text.length > 0 && is_space(text.data[text.length - 1]))
    text.length--;
  return text;
}

/* How many bytes there are, at most `size`; -1 with errno. */
static ssize_t read_all(int descriptor, char *data, size_t size) {
  size_t length = 0;
  ssize_t n;

  do {
    n = read(descriptor, data + length, size - length);
    if (n > 0)
      length += (size_t)n;
  } while ((n > 0 && length < size) || (n < 0 && errno == EINTR));
  return n < 0 ? -1 : (ssize_t)length;
}

static int append(
    char *data, ssize_t length, struct rv_buffer *out, const char **why) {
  struct rv_span text;

  if (length < 0) {
    *why = strerror(errno);
    return REVERST_ERR_SYSTEM;
  }
  text = trim((struct rv_span){ data, (size_t)length });
  if (length > RV_SECRET_FILE_MAX)
    *why = "it is larger than 64 KiB";
  else if (text.length == 0)
    *why = "it is empty";
  else
    rv_buffer_append_span(out, text);
  return *why != NULL ? REVERST_ERR_SYSTEM : 0;
}

int rv_secret_file_read(
    const char *path, struct rv_buffer *out, const char **why) {
  size_t size = RV_SECRET_FILE_MAX + 1;
  /* not blocking: somebody may have named a pipe */
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char *data;
  int r;

  *why = NULL;
  if (descriptor < 0) {
    *why = strerror(errno);
    return REVERST_ERR_SYSTEM;
  }
  data = malloc(size);
  r = data == NULL ? REVERST_ERR_NO_MEMORY
                   : append(data, read_all(descriptor, data, size), out, why);
  close(descriptor);
  if (data != NULL)
    explicit_bzero(data, size);
  free(data);
  return r;
}
