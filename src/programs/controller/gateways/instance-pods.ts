/** The pods of an instance: nginx, and beside it the program that is told what to serve; pure. */
import { gatewaySlots, paths, ports } from '#system/registry.ts';
import type { InstanceSpec } from './instance-objects.ts';
import { type InstanceNames, instanceLabels, instancePodLabels } from './names.ts';

/** Nobody in particular: all that the containers write is in volumes that this group may write. */
const user = 10_001;
/** How long requests that are under way may take once the pod is to end; new ones go to other pods by then. */
const drainSeconds = 45;
/** How long a pod that is to end answers with `Connection: close`, so that its clients come back by a new connection. */
const closingSeconds = 5;
/** From then on it isn't ready: until every node has heard, and none announces the Gateway's address for it any more. */
const leavingSeconds = 11;

/** A node that was lost gets its pods back within this time, or another one does: Kubernetes would wait for five minutes. */
const lostNodeSeconds = 30;

/** Where the Secret is mounted, in the container `gateway` alone. */
const keyDirectory = '/etc/netloom/gateway';

/** A PodTemplateSpec. No token of the API is in the pod, and nothing runs as root or may become it. */
export function podTemplate(
  { owner, image, parameters }: InstanceSpec,
  { name, feed }: InstanceNames,
): object {
  const state = { name: 'state', mountPath: paths.gatewayDirectory.value };
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  };
  const before = (command: string) => ({ preStop: { exec: { command: ['sh', '-c', command] } } });
  const { nodeSelector = {}, tolerations = [], resources } = parameters;
  return {
    metadata: {
      labels: { ...owner.labels, ...instanceLabels(owner) },
      annotations: owner.annotations,
    },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: closingSeconds + leavingSeconds + drainSeconds + 10,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: user,
        runAsGroup: user,
        fsGroup: user,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
      tolerations: [
        ...['not-ready', 'unreachable'].map((state) => ({
          key: `node.kubernetes.io/${state}`,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: lostNodeSeconds,
        })),
        ...tolerations,
      ],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: instancePodLabels(owner) },
        },
      ],
      containers: [
        {
          name: 'nginx',
          image,
          command: ['sh', '/opt/netloom/src/engines/nginx/run.sh'],
          livenessProbe: {
            tcpSocket: { port: gatewaySlots.http.value.base },
            periodSeconds: 10,
            timeoutSeconds: 5,
            failureThreshold: 6,
            initialDelaySeconds: 10,
          },
          lifecycle: before(`touch ${state.mountPath}/closing; sleep ${closingSeconds + leavingSeconds}`),
          resources: resources ?? {
            requests: { cpu: '100m', memory: '128Mi' },
            limits: { memory: '1Gi' },
          },
          securityContext,
          volumeMounts: [state, { name: 'temp', mountPath: `${state.mountPath}/temp` }],
        },
        {
          name: 'gateway',
          image,
          command: ['sh', '/opt/netloom/src/programs/gateway/run.sh'],
          args: [`--identity=${owner.key}`],
          readinessProbe: {
            httpGet: { path: '/readyz', port: ports.gatewayMetrics.value },
            periodSeconds: 1,
            timeoutSeconds: 2,
            // Enough for run.sh to start it again: until then nginx does without.
            failureThreshold: 5,
          },
          livenessProbe: {
            httpGet: { path: '/livez', port: ports.gatewayMetrics.value },
            periodSeconds: 10,
            timeoutSeconds: 5,
            failureThreshold: 6,
            initialDelaySeconds: 10,
          },
          // It says that the pod isn't ready as soon as it is told to end.
          lifecycle: before(`sleep ${closingSeconds}`),
          env: [{ name: 'MALLOC_ARENA_MAX', value: '1' }],
          resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '512Mi' } },
          securityContext,
          volumeMounts: [state, { name: 'feed', mountPath: keyDirectory, readOnly: true }],
        },
      ],
      volumes: [
        // In memory: private keys are part of what is kept for a restart of a container.
        { name: 'state', emptyDir: { medium: 'Memory' } },
        // Of nginx: bodies that are too long for its memory.
        { name: 'temp', emptyDir: {} },
        { name: 'feed', secret: { secretName: feed, defaultMode: 0o440 } },
      ],
    },
  };
}
