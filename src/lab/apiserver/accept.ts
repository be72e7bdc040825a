/** Which representation the client asked for: the object, its metadata only, or a table. */
import type { IncomingMessage } from 'node:http';
import { StatusError } from './errors.ts';

export type Representation =
  | { readonly as: 'object'; readonly yaml: boolean }
  | { readonly as: 'PartialObjectMetadata' | 'Table'; readonly yaml: boolean };

type MediaRange = { readonly type: string; readonly parameters: ReadonlyMap<string, string> };

/** Media ranges of an Accept header in the client's order; quality values other than 0 don't reorder. */
export function acceptedRanges(request: IncomingMessage): readonly MediaRange[] {
  const ranges = (request.headers.accept ?? '*/*').split(',').map((part): MediaRange => {
    const [type, ...rest] = part.split(';').map((piece) => piece.trim());
    const parameters = new Map(
      rest.map((piece) => {
        const [name, value] = piece.split('=');
        return [name!.trim(), (value ?? '').trim()] as const;
      }),
    );
    return { type: type!.toLowerCase(), parameters };
  });
  return ranges.filter((range) => Number(range.parameters.get('q') ?? 1) > 0);
}

/** The first range that this server can answer; 406 when there is none. Protobuf is not spoken. */
export function representation(request: IncomingMessage): Representation {
  for (const { type, parameters } of acceptedRanges(request)) {
    const yaml = type === 'application/yaml';
    if (!yaml && !['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.get('as');
    if (as === undefined) return { as: 'object', yaml };
    const meta =
      parameters.get('g') === 'meta.k8s.io' && ['v1', 'v1beta1'].includes(parameters.get('v') ?? '');
    if (!meta) continue;
    if (as === 'Table') return { as: 'Table', yaml };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { as: 'PartialObjectMetadata', yaml };
    }
  }
  throw new StatusError(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/yaml',
  );
}
