// What Linux tells about a process's or a thread's use of processors.
#pragma once
#include "frames.h"
#include <unistd.h>

// utime and stime of a process or a thread, in seconds.
static double cpu_seconds(const char *file) {
  char text[1024];
  FILE *f = fopen(file, "r");
  if (!f) return 0;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  unsigned long user = 0, kernel = 0;
  char *p = strrchr(text, ')'); // the name before it may hold blanks
  if (p) sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
  return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
