// certificate-names: who a caller is by the certificate it showed.
//
// Owns:    the reading of subject alternative names.
// Always:  names are those of a certificate that was checked; the subject's common name counts only where there is no other name.

import type { X509Certificate } from "node:crypto";

/** The names in a certificate: hosts, addresses, URIs and mailboxes, without their kinds. */
export function certificateNamesOf(certificate: X509Certificate): readonly string[] {
  const alternatives = certificate.subjectAltName;
  if (alternatives !== undefined && alternatives !== "") return alternativeNames(alternatives);
  const common = /^CN=(.*)$/m.exec(certificate.subject);
  return common === null ? [] : [common[1]!];
}

/** Takes a list such as `DNS:a.example, URI:"spiffe://x, y"` apart. A name with characters that mean something there stands in quotes. */
function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/(?:^|, )[A-Za-z ]+:(?:("(?:[^"\\]|\\.)*")|([^,"]*))/g)) {
    if (quoted !== undefined) names.push(JSON.parse(quoted) as string);
    else if (plain !== undefined) names.push(plain);
  }
  return names;
}
