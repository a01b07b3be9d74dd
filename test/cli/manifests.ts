/** A Service `default/reviews` with one endpoint. */
export const reviews = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 9080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: reviews-1
  namespace: default
  labels: {kubernetes.io/service-name: reviews}
addressType: IPv4
ports: [{name: http, port: 9080}]
endpoints: [{addresses: [10.1.0.1], conditions: {ready: true}}]
`;

/** A RouteRule for that Service with this spec, which follows in flow style. */
export function rule(name: string, spec: string): string {
	return `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: ${name}, namespace: default}
spec: ${spec}
`;
}
