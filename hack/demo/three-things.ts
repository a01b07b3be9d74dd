import { join } from "node:path";
import { styleText } from "node:util";
import type { Bookinfo } from "./bookinfo.ts";

/** What to try in the running demo, with the very files and commands. */
export function printThreeThings(
	{ url, files }: Bookinfo,
	stateDir: string,
): string {
	const rules = join(files, "rules/reviews.yaml");
	const title = (text: string): string => styleText("bold", text);
	const command = (text: string): string => `     ${styleText("cyan", text)}`;
	return `
Bookinfo is up: ${styleText(["bold", "underline"], url)}

Three things to try (commands: in a second terminal, in this folder):

  ${title("1. Shift traffic.")} Open the page and tick "keep asking". Then change the weights in
     ${rules}
     and save; or let sed do it, and all goes to v3 with its red stars:
${command(`sed -i.bak 's/v1}, weight: [0-9]*/v1}, weight: 0/' ${rules}`)}

  ${title("2. Be jason.")} Log in on the page as jason: rules/reviews-jason.yaml sends him to v2 with its
     black stars, whatever the weights say. (For tester, ratings are broken on purpose.)
${command(`curl -s --cookie user=jason ${url}api/page`)}

  ${title("3. Break a rule,")} and read who is told. The last good form of the rule stays in force:
${command(`sed -i.bak 's/v3}, weight: /v3}, weight: -/' ${rules}`)}
     Before you save, this would have told you, with line and remedy:
${command(`npm run --silent lateen -- validate ${files}`)}
     One screen says what is wrong with it, and that the other rules are live:
${command(`npm run --silent lateen -- get routerules --state-dir ${stateDir}`)}
     Mend it, and wait until every proxy has it:
${command(`mv ${rules}.bak ${rules} && npm run --silent lateen -- wait rr/reviews --state-dir ${stateDir}`)}

Ctrl-C ends everything.
`;
}
