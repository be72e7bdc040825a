/** Certificates for tests, made by openssl inside a sandbox. */
import type { RunOptions, RunResult } from '#system/process.ts';

type Box = { exec(argv: readonly string[], options?: RunOptions): Promise<RunResult> };

/** As in the intent. */
export function pairOf(pem: string): { readonly certificate: string; readonly privateKey: string } {
  const cut = pem.indexOf('-----BEGIN PRIVATE KEY');
  return { certificate: pem.slice(0, cut), privateKey: pem.slice(cut) };
}

/** Writes a certificate with its key as one PEM file, signed by itself or by `issuer`, and gives its text. */
export async function makeCertificate(
  box: Box,
  file: string,
  options: {
    readonly names: readonly string[];
    readonly issuer?: string;
    readonly authority?: true;
    readonly kind?: 'rsa' | 'ec';
  },
): Promise<string> {
  const key =
    options.kind === 'rsa' ? '-newkey rsa:2048' : '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1';
  const by = options.issuer === undefined ? '' : `-CA ${options.issuer} -CAkey ${options.issuer}`;
  const names =
    options.authority === true
      ? '-addext basicConstraints=critical,CA:TRUE'
      : `-addext subjectAltName=${options.names.map((name) => `DNS:${name}`).join(',')} -addext basicConstraints=CA:FALSE`;
  const line =
    `openssl req -x509 -nodes -days 30 ${key} -subj '/CN=${options.names[0]}' ${names} ${by} ` +
    `-keyout ${file}.key -out ${file}.crt 2>&1 && cat ${file}.crt ${file}.key > ${file} && cat ${file}`;
  const made = await box.exec(['sh', '-c', line]);
  if (made.code !== 0) throw new Error(made.stdout);
  return made.stdout.slice(made.stdout.indexOf('-----BEGIN'));
}
