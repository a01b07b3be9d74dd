import { join } from "node:path";
import { styleText } from "node:util";
import type { KubectlTarget } from "../cluster/kubectl.ts";
import type { Bookinfo } from "./bookinfo.ts";

/** What to try in the demo on Kubernetes, with the very files and commands. */
export function printKubernetesThings(
	{ url, files, controlPlane }: Bookinfo,
	cluster: KubectlTarget,
): string {
	const rules = join(files, "rules/reviews.yaml");
	const jason = join(files, "rules/reviews-jason.yaml");
	const title = (text: string): string => styleText("bold", text);
	const command = (text: string): string => `     ${styleText("cyan", text)}`;
	return `
Bookinfo is up: ${styleText(["bold", "underline"], url)}

Three things to try. In a second terminal, in this folder, first:

${command(`export KUBECONFIG=${cluster.kubeconfig}`)}
${command(`alias kubectl=${cluster.kubectl}`)}
${command("kubectl get rr")}

  ${title("1. Shift traffic.")} Open the page and tick "keep asking". Then change the weights in
     ${rules}
     and apply it; or let sed do it. When wait returns, every proxy sends all to v3 with its red stars:
${command(`sed -i.bak 's/v1}, weight: [0-9]*/v1}, weight: 0/' ${rules}`)}
${command(`kubectl apply -f ${rules} && kubectl wait --for=condition=Programmed rr/reviews`)}

  ${title("2. Be jason.")} Log in on the page as jason: rules/reviews-jason.yaml sends him to v2 with its
     black stars, whatever the weights say. (For tester, ratings are broken on purpose.)
${command(`curl -s --cookie user=jason ${url}api/page`)}

  ${title("3. Break a rule,")} and read who is told. The API server refuses a weight below 0 by itself, and
     asks Lateen about a regular expression; nothing is stored of either:
${command(`sed 's/v3}, weight: /v3}, weight: -/' ${rules} | kubectl apply -f -`)}
${command(`sed 's/: jason}/: {regex: "(?=jason)"}}/' ${jason} | kubectl apply -f -`)}
     While Lateen is away nobody refuses the expression. When it is back it says so in the status, and
     jason still sees v2: the last good form of the rule stays in force.
${command(`kill -STOP ${controlPlane.pid}`)}
${command(`sed 's/: jason}/: {regex: "(?=jason)"}}/' ${jason} | kubectl apply -f -`)}
${command(`kill -CONT ${controlPlane.pid}`)}
${command("kubectl wait --for=condition=Accepted=false rr/reviews-jason && kubectl get rr")}
${command("kubectl describe rr reviews-jason")}
     Mend it:
${command(`kubectl apply -f ${jason} && kubectl wait --for=condition=Ready rr/reviews-jason`)}

Ctrl-C ends everything.
`;
}
