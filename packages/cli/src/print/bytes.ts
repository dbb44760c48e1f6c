// bytes: sizes as people read them.

/** `3.4 MiB` */
export function bytesOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  let size = bytes;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    size /= 1_024;
    if (size < 1_024) return `${size.toFixed(1)} ${unit}`;
  }
  return `${(size / 1_024).toFixed(1)} TiB`;
}
