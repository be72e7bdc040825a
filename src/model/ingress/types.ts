/** What is known of Ingresses and IngressClasses once they are read. */
import type { GatewayObject } from '../gateway/types.ts';

/** The controller's name in IngressClasses that are ours. */
export const ingressController = 'netloom.dev/ingress';

export type IngressClassModel = GatewayObject & {
  readonly controller: string;
  /** Annotation `ingressclass.kubernetes.io/is-default-class`. */
  readonly isDefault: boolean;
  /** The ALB: parameters of group netloom.dev, kind ALB, with scope Namespace. Absent: the ALB that says it serves the class. */
  readonly alb?: string;
};

export type IngressModel = GatewayObject & {
  /** spec.ingressClassName, else the annotation `kubernetes.io/ingress.class`. */
  readonly className?: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly defaultBackend?: IngressBackend;
  readonly rules: readonly {
    /** Lower case; absent: any. */
    readonly host?: string;
    readonly paths: readonly {
      readonly type: 'Exact' | 'Prefix' | 'ImplementationSpecific';
      readonly path: string;
      readonly backend: IngressBackend;
      /** From `spec` on. */
      readonly field: string;
    }[];
  }[];
  readonly tls: readonly { readonly hosts: readonly string[]; readonly secret?: string }[];
};

/** A Service's port by number or name. Of another resource nothing can be served. */
export type IngressBackend =
  | { readonly service: string; readonly port: number | string }
  | { readonly unusable: string };
