/** Every command of `netloom`, in the order of its help. Code is loaded only for the command that runs. */
import { existsSync } from 'node:fs';
import type { Command } from './command.ts';
import { clusterOption, filesOption, json, labOption as name, outputOption, shape } from './options.ts';

export const commands: readonly Command[] = [
  {
    name: ['demo'],
    summary: 'start a cluster network on this machine, deploy a sample, check it with real packets',
    options: { name, ...shape },
    root: true,
    examples: ['./netloom demo'],
    load: () => import('./demo.ts'),
  },
  {
    name: ['check'],
    summary:
      'send real packets between pods, nodes, Services and the outside, and tell what did not go as it must',
    options: { name, json, keep: { type: 'boolean', summary: "leave the check's pods for a look around" } },
    root: true,
    load: () => import('./check.ts'),
  },
  {
    name: ['lab', 'up'],
    summary: 'start a lab: API server, nodes and Netloom on them',
    options: {
      name,
      ...shape,
      bare: { type: 'boolean', summary: 'without Netloom: nodes have no pod network' },
    },
    root: true,
    examples: ['./netloom lab up', './netloom lab up --name six --family ipv6 --nodes 2'],
    load: () => import('./lab-up.ts'),
  },
  {
    name: ['lab', 'down'],
    summary: 'end a lab and remove all of it',
    options: { name, all: { type: 'boolean', summary: 'every lab of this machine' } },
    root: true,
    load: () => import('./lab-down.ts'),
  },
  {
    name: ['lab', 'status'],
    summary: "show a lab's nodes, addresses and processes",
    options: { name, json },
    root: true,
    load: () => import('./lab-status.ts'),
  },
  {
    name: ['lab', 'kubeconfig'],
    summary: "print the path of a lab's kubeconfig",
    options: { name, raw: { type: 'boolean', summary: 'print the file itself' } },
    root: true,
    examples: ['export KUBECONFIG=$(./netloom lab kubeconfig)'],
    load: () => import('./lab-kubeconfig.ts'),
  },
  {
    name: ['lab', 'exec'],
    summary: 'run a program on a node, on the router or outside of the cluster',
    operands: 'MACHINE PROGRAM [ARGUMENT…]',
    operandCount: 'all',
    options: { name },
    root: true,
    examples: ['./netloom lab exec node1 ip route', './netloom lab exec outside ping -c1 192.168.66.11'],
    load: () => import('./lab-exec.ts'),
  },
  fault('cut', "cut a node's cable: nothing passes, and nobody is told"),
  fault('mend', "plug a node's cable again"),
  fault('freeze', 'stop all processes of a node, its pods too; its kernel goes on'),
  fault('thaw', 'let the processes of a node run on'),
  fault('kill', 'end a node as if its power failed; its disk stays'),
  fault('start', 'start a node that was killed as a reboot does, or a new one'),
  {
    name: ['lab', 'load'],
    summary: 'give the lab an image: a root file system or an OCI archive',
    operands: 'IMAGE DIR|TAR',
    operandCount: [2, 2],
    options: { name },
    root: true,
    examples: ['./netloom lab load example/web:1 ./web.tar'],
    load: () => import('./lab-load.ts'),
  },
  {
    name: ['kubectl'],
    summary:
      "run kubectl on a lab (the host's, else the node image's); what follows the options is kubectl's, netloom kubectl help is its own help",
    operands: '[ARGUMENT…]',
    operandCount: 'all',
    options: { name },
    root: true,
    examples: ['./netloom kubectl get pods -A -o wide', './netloom kubectl --name six get nodes'],
    load: () => import('./kubectl.ts'),
  },
  {
    name: ['why-ip'],
    summary: 'tell where a pod takes its addresses from, and why, or what it waits for',
    operands: 'NAMESPACE/POD',
    operandCount: [1, 1],
    options: { name, json },
    root: true,
    examples: ['./netloom why-ip shop/web-0'],
    load: () => import('./why-ip.ts'),
  },
  {
    name: ['lb'],
    summary:
      "tell who announces balancers' addresses, to whom and since when, and what a Service waits for; exit code 1 where the one asked for waits",
    operands: '[NAMESPACE/SERVICE]',
    operandCount: [0, 1],
    options: { name: clusterOption, output: outputOption('text', 'json') },
    examples: ['./netloom lb', './netloom lb shop/web', './netloom lb -o json'],
    load: () => import('./lb.ts'),
  },
  {
    name: ['gateway'],
    summary:
      'tell what gateways listen at, which routes they have and where those lead, and what is wrong with them; exit code 1 where something is with the one asked for',
    operands: '[NAMESPACE/GATEWAY]',
    operandCount: [0, 1],
    options: { name: clusterOption, files: filesOption, output: outputOption('text', 'json') },
    examples: ['./netloom gateway', './netloom gateway shop/edge', './netloom gateway -f manifests/'],
    load: () => import('./gateway.ts'),
  },
  {
    name: ['why'],
    summary:
      'tell whether one may open a connection to another, and which policy and rule decide it, or what a gateway does with a request; exit code 1 where it may not or is refused',
    operands: 'FROM TO [PROTO/PORT] | URL',
    operandCount: [1, 3],
    options: {
      name: clusterOption,
      from: {
        type: 'string',
        value: 'WHO',
        summary: 'of a URL: who asks; only world, the outside, for which gateways are',
        choices: ['world'],
      },
      method: { type: 'string', value: 'M', summary: 'of a URL: the method of the request (default GET)' },
      header: {
        type: 'string',
        value: 'K=V',
        summary: 'of a URL: a header of the request; may be repeated',
        many: true,
      },
      gateway: {
        type: 'string',
        value: 'NS/NAME',
        summary: 'of a URL: what this Gateway does with it (default: each that has a listener for it)',
      },
      files: filesOption,
      probe: {
        type: 'boolean',
        summary: 'send real packets too, in a lab, and hold them against the answer',
      },
      output: outputOption('text', 'json'),
    },
    examples: [
      './netloom why shop/web-0 svc/shop/db tcp/5432',
      './netloom why world shop/web-0 tcp/8080 --probe',
      './netloom why shop/web kube-system/cluster-dns udp/53 -f examples/policy',
      './netloom why https://shop.example/cart --from world --method POST --header version=2',
    ],
    load: () => import('./why.ts'),
  },
  {
    name: ['diff'],
    summary:
      'tell which connections would open and which would close if files were applied; exit code 1 where some would, 2 where a file is bad',
    options: {
      files: {
        type: 'string',
        short: 'f',
        value: 'FILE|DIR',
        summary: 'what would be applied; - is standard input; may be repeated',
        many: true,
      },
      against: { type: 'string', value: 'FILE|DIR', summary: 'to these manifests instead of a cluster' },
      name: clusterOption,
      delete: { type: 'boolean', summary: 'the files name what would be deleted' },
      prune: { type: 'boolean', summary: 'with --against: what the files lack would be deleted' },
      observed: {
        type: 'string',
        value: 'FLOWS',
        summary: 'connections that were seen, a JSON object a line; what they used comes first',
      },
      reasons: { type: 'boolean', summary: 'tell also what gets the same answer for another reason' },
      output: outputOption('text', 'json', 'markdown'),
    },
    examples: [
      './netloom diff -f policies/',
      './netloom diff -f new/ --against old/ --prune -o markdown',
      './netloom diff -f examples/policy/isolate.yaml --against examples/policy/shop.yaml',
    ],
    load: () => import('./diff.ts'),
  },
  {
    name: ['policy'],
    summary:
      'tell how many connections each rule of each policy decided, and which rules nothing met; of one NetworkPolicy also on how many nodes it is in force, whom it selects and what in it can not work',
    operands: '[NAMESPACE/NAME]',
    operandCount: [0, 1],
    options: {
      name: clusterOption,
      node: { type: 'string', value: 'NAME', summary: 'of this node only' },
      output: outputOption('text', 'json'),
    },
    examples: ['./netloom policy', './netloom policy shop/web', './netloom policy --node node1 -o json'],
    load: () => import('./policy.ts'),
  },
  {
    name: ['import'],
    summary:
      "print another network's Subnets, pools, BGP peers and pods' annotations, or another gateway's Ingresses and rules, as Netloom's, and tell what has no equal (then the exit code is 1)",
    operands: 'kube-ovn|calico|ingress-nginx|alb FILE…',
    operandCount: [2, 10_000],
    options: {
      report: {
        type: 'string',
        value: 'FILE',
        summary: 'write what has no equal there, not to standard error',
      },
    },
    examples: [
      'kubectl get subnets.kubeovn.io,ippools.kubeovn.io -o yaml | ./netloom import kube-ovn -',
      './netloom import calico pools.yaml deployments.yaml > netloom.yaml',
      'kubectl get ingresses,services -A -o yaml | ./netloom import ingress-nginx -',
    ],
    load: () => import('./import.ts'),
  },
  {
    name: ['doctor'],
    summary: 'tell what this machine lacks, or the network below a cluster, and how to mend it',
    options: {
      name: { type: 'string', value: 'NAME', summary: 'ask this lab instead of the cluster of $KUBECONFIG' },
      json,
    },
    examples: ['./netloom doctor', './netloom doctor --name default'],
    load: () => import('./doctor.ts'),
  },
  {
    name: ['test'],
    summary: 'run every test, or those of some files',
    operands: '[FILE…]',
    operandCount: [0, 10_000],
    options: {},
    root: true,
    load: () => import('./test.ts'),
  },
  ...ifThere('bench.ts', {
    name: ['bench'],
    summary: 'measure against references in the same run',
    operands: '[NAME]',
    operandCount: [0, 1],
    options: { json, quick: { type: 'boolean', summary: 'fewer repeats; ends within a minute' } },
    root: true,
    operandHelp: async () => ((await load('./bench.ts')) as typeof import('./bench.ts')).benchList(),
    load: () => load('./bench.ts'),
  }),
];

/** What a test may do to a machine of a lab. */
function fault(verb: keyof typeof import('./lab-faults.ts').faults, summary: string): Command {
  return {
    name: ['lab', verb],
    summary,
    operands: 'NODE',
    operandCount: [1, 1],
    options: { name },
    root: true,
    examples: [`./netloom lab ${verb} node2`],
    load: async () => ({ run: (await import('./lab-faults.ts')).faults[verb] }),
  };
}

/** Commands whose code comes as a part of its own. */
function ifThere(file: string, command: Command): Command[] {
  return existsSync(new URL(file, import.meta.url)) ? [command] : [];
}

function load(file: string): ReturnType<Command['load']> {
  return import(file) as ReturnType<Command['load']>;
}
