/**
 * What the supervisor tells the processes of a lab. Each is started as `node main.ts CONFIG`, CONFIG the path of a JSON file, in the
 * supervisor's PID and mount namespace and the host's network, and again (same file, read anew) whenever it has ended.
 * SIGTERM: end in order. SIGHUP: read the file anew (nodes came or went). Standard output and error go to a log file of the lab.
 */

export type Family = 'ipv4' | 'ipv6' | 'dual';

/** A node's namespaces as the kubelet finds them. */
export type LabNode = {
  readonly name: string;
  /** PID 1 of the node in the supervisor's PID namespace: `nsenter --target PID --mount --net --pid --uts --ipc`. */
  readonly pid: number;
  /** Underlay addresses, IPv4 first. */
  readonly addresses: readonly string[];
  /**
   * A directory of a real disk that supervisor and node both see: container bundles and overlays live here (overlayfs can't be stacked
   * on the node's own overlay). `host` is its path for the kubelet, `inside` for crun and everything else within the node.
   */
  readonly disk: { readonly host: string; readonly inside: string };
  /** Beside those that every kubelet sets, for example `topology.kubernetes.io/zone`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
};

/** Paths inside every node: its real disk, the node image as a read-only lower layer, and images brought by `lab load`. */
export const inside = {
  disk: '/var/lib/netloom-lab',
  image: '/opt/netloom-image',
  images: '/opt/netloom-images',
} as const;

/** Config of `src/lab/kubelet/main.ts`, which does the work of every node's kubelet and of the small controllers. */
export type KubeletConfig = {
  readonly lab: string;
  readonly family: Family;
  /** Path of a kubeconfig with full rights. */
  readonly kubeconfig: string;
  /** Unix socket to listen on for the API server's logs, exec and dial requests (kubelet-contract.md). */
  readonly socket: string;
  readonly nodes: readonly LabNode[];
  /** Where the kubelet may keep files of its own; gone with the lab. */
  readonly directory: string;
  /** Root of the node image, on the host. Inside a node it is its `/`; as a read-only lower layer see `imageInNode`. */
  readonly imageRoot: string;
  /** Where each node sees the node image read-only, as a lower layer of containers. */
  readonly imageInNode: string;
  /** Root file systems brought by `lab load`: a directory each, its name by `imageDirectoryName`. */
  readonly imagesDirectory: { readonly host: string; readonly inside: string };
  /** Pods' nameserver and search domain. */
  readonly dns: { readonly addresses: readonly string[]; readonly domain: string };
  /** Set for host-network pods, and for all as KUBERNETES_SERVICE_HOST/PORT before Services work. */
  readonly apiServer: { readonly host: string; readonly port: number };
};

/** Config of `src/lab/apiserver/main.ts`. */
export type ApiServerConfig = {
  readonly dataDirectory: string;
  /** Where it listens on the host. */
  readonly host: string;
  readonly port: number;
  /** Where it also listens: sockets made inside these network namespaces. */
  readonly listenIn: readonly {
    readonly namespace: string;
    readonly address: string;
    readonly port: number;
  }[];
  readonly serviceCidrs: readonly string[];
  readonly podCidrs: readonly string[];
  /** Endpoint of the Service `kubernetes`: addresses (one a family) and port that nodes and pods reach it at. */
  readonly advertise: readonly string[];
  readonly advertisePort: number;
  /** Where the kubeconfig of the administrator is written, atomically, when the server is ready. */
  readonly kubeconfig: string;
  readonly kubeletSocket: string;
};

/** Directory name of an image in `imagesDirectory`; any name a pod may write maps to one safe file name. */
export function imageDirectoryName(image: string): string {
  return encodeURIComponent(image).replaceAll('.', '%2E').slice(0, 250);
}
