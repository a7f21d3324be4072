/** What another model, or the existing recommender, would have answered to logged requests. */
package org.llm4msr.app.replay;
